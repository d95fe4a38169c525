"""`coterie check` against a real Synapse, with the service running and stopped."""

from __future__ import annotations

import re

from tests.harness.person import PersonFactory
from tests.harness.service import ServiceFactory


async def test_check_says_of_everything_whether_it_fits(person: PersonFactory, coterie: ServiceFactory) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    service.config_file.chmod(0o600)
    lines = [
        f"✓ config: {service.config_file} can be used",
        f"✓ homeserver: {service.homeserver.url} answers: Synapse VERSION",
        "✓ token: the homeserver takes as_token",
        "✓ server name: coterie.test on both sides",
        f"✓ sender: _{service.bot}_sender is not the bot",
        f"✓ bot: {service.bot_id} exists",
        f"✓ namespaces: @{service.bot} and @{service.bot}_… are the service's, others are not",
        "✓ devices: the bot may have one of its own, for encryption",
        "✓ room version: 12 is available",
        f"✓ ping: there and back by way of {service.url} (WHO)",
        "✓ database: sqlite:coterie.db can be written",
        "✓ schema: N, the newest",
        "All is well.",
    ]
    for who in ("answered by the running service", "Coterie is not running, this check answered in its place"):
        code, output = await service.cli("check")
        output = re.sub(r"Synapse \d\S*( \(b=.*?\))?", "Synapse VERSION", output.replace(who, "WHO"))
        assert re.sub(r"schema: \d+", "schema: N", output).splitlines() == lines
        assert code == 0
        await service.stop()


async def test_check_says_what_mends_a_wrong_token(person: PersonFactory, coterie: ServiceFactory) -> None:
    rosa = await person("rosa")
    service = await coterie(groups={"owners": [rosa.user_id]})
    await service.stop()
    text = service.config_file.read_text()
    service.config_file.write_text(text.replace(service.hs_token, "x" * 40))
    code, output = await service.cli("check")
    assert code == 1
    assert "✗ ping: the homeserver has another hs_token. To mend: make hs_token the same in" in output
    service.config_file.write_text(text.replace(service.as_token, "x" * 40))
    code, output = await service.cli("check")
    assert code == 1
    assert "✗ token: the homeserver refuses as_token" in output
    assert "- ping: not checked: the token comes first" in output
    assert "x" * 40 not in output
