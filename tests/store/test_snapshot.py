"""Reading what belongs together as it was at one moment, while others write."""

import pytest

from appservice.store.unit import Store


async def test_a_snapshot_reads_one_moment_whoever_writes_meanwhile(store: Store) -> None:
    async with store.unit() as unit:
        await unit.settings.put("device", "ONE")
    async with store.snapshot() as moment:
        assert await moment.settings.get("device") == "ONE"
        async with store.unit() as unit:
            await unit.settings.put("device", "TWO")
            await unit.settings.put("more", "THREE")
        assert (await moment.settings.get("device"), await moment.settings.get("more")) == ("ONE", None)
    async with store.snapshot() as moment:
        assert (await moment.settings.get("device"), await moment.settings.get("more")) == ("TWO", "THREE")


async def test_a_connection_that_was_in_a_snapshot_is_free_again(store: Store) -> None:
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            async with store.snapshot() as moment:
                await moment.settings.get("device")
                raise ZeroDivisionError
    async with store.unit() as unit:
        await unit.settings.put("device", "ONE")
