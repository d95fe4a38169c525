"""Devices, keys and to-device messages, as an application service asks for them (MSC4190: devices without login)."""

from __future__ import annotations

import asyncio

from tests.flows.homeserver_calls import CLIENT, SEG, Answer, Call
from tests.flows.homeserver_device import verifies
from tests.flows.homeserver_events import Json, Refused

UNREACHABLE = {"status": 503, "message": "Not ready for retry"}


# ---- devices -------------------------------------------------------------------------------
def put_device(call: Call) -> Answer:
    is_new = call.hs.crypto.add_service_device(call.user, call.args[0], call.body.get("display_name"))
    return Answer(201 if is_new else 200)


def _device(call: Call, device: str) -> Json:
    name = call.hs.world.keys.names.get((call.user, device))
    return {"device_id": device, "user_id": call.user, "last_seen_ip": None, "last_seen_ts": None, "display_name": name}


def get_devices(call: Call) -> Json:
    found = sorted(device for user, device in call.hs.world.devices if user == call.user)
    return {"devices": [_device(call, device) for device in found]}


def get_device(call: Call) -> Json:
    if (call.user, call.args[0]) not in call.hs.world.devices:
        raise Refused(404, "M_NOT_FOUND", "No device found")
    return _device(call, call.args[0])


def delete_device(call: Call) -> Json:
    if (call.user, call.args[0]) in call.hs.world.devices:
        call.hs.crypto.remove_device(call.user, call.args[0])
    return {}


# ---- keys ----------------------------------------------------------------------------------
def upload_keys(call: Call) -> Json:
    """As in Synapse; that the signatures are good is checked by other clients, and here for them."""
    device = call.device
    if device is None:
        raise Refused(400, "M_UNKNOWN", "To upload keys, you must pass device_id when authenticating")
    keys = call.hs.world.keys
    if keys.upload(call.user, device, call.body):
        call.hs.crypto.note_change(call.user)
    _check_signatures(call, device)
    return {"one_time_key_counts": keys.counts(call.user, device)}


def _check_signatures(call: Call, device: str) -> None:
    own = call.hs.world.keys.device_keys.get(call.user, {}).get(device)
    signing_key = own["keys"].get(f"ed25519:{device}", "") if own else ""
    signed = [("device_keys", call.body.get("device_keys"))]
    signed += [pair for part in ("one_time_keys", "fallback_keys") for pair in (call.body.get(part) or {}).items()]
    for name, value in signed:
        if value and not verifies(value, call.user, device, signing_key):
            call.hs.failures.append(f"POST {call.path}: {name} is not signed by the device")


async def query_keys(call: Call) -> Json:
    wanted = call.body.get("device_keys")
    if not isinstance(wanted, dict):
        raise Refused(400, "M_BAD_JSON", "`device_keys` is missing")
    failures = await _failures(call, list(wanted), "query")
    asked = {user: devices for user, devices in wanted.items() if _server(user) not in failures}
    for user in asked:
        call.hs.crypto.devices(user)
    return {**call.hs.world.keys.query(call.user, asked), "failures": failures}


async def claim_keys(call: Call) -> Json:
    wanted = call.body.get("one_time_keys")
    if not isinstance(wanted, dict):
        raise Refused(400, "M_BAD_JSON", "`one_time_keys` is missing")
    failures = await _failures(call, list(wanted), "claim")
    asked = {user: devices for user, devices in wanted.items() if _server(user) not in failures}
    return {"one_time_keys": call.hs.world.keys.claim(asked), "failures": failures}


async def _failures(call: Call, users: list[str], kind: str) -> Json:
    """Which servers cannot be asked, after the time that it takes to notice."""
    failing = call.hs.crypto.failing
    found = {server for user in users if (server := _server(user)) in failing and getattr(failing[server], kind)}
    await asyncio.sleep(max((failing[server].after for server in found), default=0))
    return {server: dict(UNREACHABLE) for server in sorted(found)}


def _server(user: str) -> str:
    return user.partition(":")[2]


def upload_cross_signing(call: Call) -> Json:
    """Without asking for a password, as MSC4190 has it."""
    if call.hs.world.keys.upload_cross_signing(call.user, call.body):
        call.hs.crypto.note_change(call.user)
    return {}


def upload_signatures(call: Call) -> Json:
    failures, signed = call.hs.world.keys.upload_signatures(call.user, call.body)
    if call.user in signed:
        call.hs.crypto.note_change(call.user)
    return {"failures": failures}


# ---- to-device messages --------------------------------------------------------------------
def send_to_device(call: Call) -> Json:
    type, txn = call.args
    messages = call.body.get("messages")
    if not isinstance(messages, dict):
        raise Refused(400, "M_MISSING_PARAM", "Missing params: ['messages']")
    slot = (call.user, call.device, type, txn)
    if slot not in call.hs.world.keys.transactions:
        call.hs.world.keys.transactions.add(slot)
        call.hs.crypto.send_to_device(call.user, type, messages)
    return {}


KEY_ENDPOINTS = (
    ("GET", f"{CLIENT}/devices", get_devices),
    ("PUT", f"{CLIENT}/devices{SEG}", put_device),
    ("GET", f"{CLIENT}/devices{SEG}", get_device),
    ("DELETE", f"{CLIENT}/devices{SEG}", delete_device),
    ("POST", f"{CLIENT}/keys/upload(?:{SEG})?", upload_keys),
    ("POST", f"{CLIENT}/keys/query", query_keys),
    ("POST", f"{CLIENT}/keys/claim", claim_keys),
    ("POST", f"{CLIENT}/keys/device_signing/upload", upload_cross_signing),
    ("POST", f"{CLIENT}/keys/signatures/upload", upload_signatures),
    ("PUT", f"{CLIENT}/sendToDevice{SEG}{SEG}", send_to_device),
)
