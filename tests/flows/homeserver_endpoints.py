"""What each endpoint of the fake homeserver answers. `ENDPOINTS` is the whole list; anything else is 404."""

from __future__ import annotations

from collections.abc import Callable

from tests.flows.homeserver_calls import CLIENT, SEG, Answer, Call
from tests.flows.homeserver_events import Event, Json, Refused, check_content, forbidden
from tests.flows.homeserver_key_endpoints import KEY_ENDPOINTS
from tests.flows.homeserver_rooms import Room
from tests.flows.homeserver_sync import SYNC_ENDPOINTS
from tests.flows.homeserver_world import check_local_event, check_user_id


# ---- accounts ------------------------------------------------------------------------------
def versions(call: Call) -> Json:
    return {"versions": [f"v1.{minor}" for minor in range(1, 16)], "unstable_features": {}}


def whoami(call: Call) -> Json:
    device = {"device_id": call.device} if call.device else {}
    return {"user_id": call.user, "is_guest": False, **device}


def register(call: Call) -> Json:
    if call.body.get("type") != "m.login.application_service":
        raise Refused(400, "M_BAD_JSON", "An application service registers by m.login.application_service")
    mxid = f"@{call.body.get('username')}:{call.hs.domain}"
    if not call.hs.is_service_user(mxid):
        raise Refused(400, "M_EXCLUSIVE", "Invalid user localpart for this application service.")
    if mxid in call.hs.world.accounts:
        raise Refused(400, "M_USER_IN_USE", "User ID already taken.")
    call.hs.world.account(mxid)
    return {"user_id": mxid, "home_server": call.hs.domain}


def get_profile(call: Call) -> Json:
    mxid, key = call.args
    profile: Json | None = call.hs.world.accounts.get(mxid)
    if profile is None or (key and key not in profile):
        raise Refused(404, "M_NOT_FOUND", "Profile was not found")
    return {key: profile[key]} if key else dict(profile)


def put_profile(call: Call) -> Json:
    """The new name also goes into every room of the account, as in Synapse."""
    mxid, key = call.args
    if mxid != call.user:
        raise forbidden("Cannot set another user's profile")
    call.hs.world.account(mxid)[key] = call.body.get(key)
    for room in call.hs.world.rooms_of(mxid):
        call.hs.world.set_membership(mxid, room.room_id, mxid, "join")
    return {}


# ---- rooms ---------------------------------------------------------------------------------
def create_room(call: Call) -> Json:
    check_content(call.body, text=call.hs.text_refusal)
    return {"room_id": call.hs.world.create_room(call.user, call.body).room_id}


def join(call: Call) -> Json:
    room_id = call.args[0]
    if room_id not in call.hs.world.rooms:
        raise Refused(404, "M_NOT_FOUND", "Can't join remote room because no servers that are in the room")
    call.hs.world.set_membership(call.user, room_id, call.user, "join")
    return {"room_id": room_id}


def change_membership(call: Call) -> Json:
    room_id, action = call.args
    target = call.user if action == "leave" else call.body.get("user_id")
    reason = {"reason": call.body["reason"]} if call.body.get("reason") else {}
    check_content(reason, text=call.hs.text_refusal)
    check_user_id(target)
    call.hs.world.set_membership(call.user, room_id, str(target), action, reason)
    return {}


def joined_rooms(call: Call) -> Json:
    return {"joined_rooms": [room.room_id for room in call.hs.world.rooms_of(call.user)]}


def _readable(call: Call) -> Room:
    room = call.hs.world.rooms.get(call.args[0])
    if room is None or room.membership(call.user) != "join":
        raise forbidden(f"User {call.user} not in room {call.args[0]}, and room previews are disabled")
    return room


def joined_members(call: Call) -> Json:
    room = _readable(call)
    members = {user: room.content("m.room.member", user) for user in sorted(room.joined)}
    return {
        "joined": {
            user: {"display_name": content.get("displayname"), "avatar_url": content.get("avatar_url")}
            for user, content in members.items()
        }
    }


def members(call: Call) -> Json:
    state = _readable(call).state.values()
    wanted = call.query.get("membership")
    found = (event for event in state if event.type == "m.room.member")
    return {"chunk": [e.client() for e in found if wanted in (None, e.content.get("membership"))]}


# ---- events --------------------------------------------------------------------------------
def _once(call: Call, txn: str, send: Callable[[], Event]) -> Json:
    """The answer that this request got before, or a new one.

    Synapse keys its memory by path and application service, and beyond a restart by room, user, device and
    transaction id if a device is named.
    """
    hs, lasting = call.hs, (call.args[0], call.user, call.device, txn)
    event_id = hs.answered_paths.get(call.path)
    if event_id is None and call.device:
        event_id = hs.answered_transactions.get(lasting)
    if event_id is None:
        event_id = send().event_id
        if call.device:
            hs.answered_transactions[lasting] = event_id
    hs.answered_paths[call.path] = event_id
    return {"event_id": event_id}


def _limited(call: Call) -> None:
    wait = call.hs.faults.limited(call.args[0])
    if wait is not None:
        raise Refused(429, "M_LIMIT_EXCEEDED", "Too Many Requests", retry_after_ms=wait)


def send_event(call: Call) -> Json:
    room_id, type, txn = call.args

    def send() -> Event:
        _limited(call)
        check_content(call.body, text=call.hs.text_refusal)
        check_local_event(type, room_id, call.user, None, call.body)
        return call.hs.world.send(call.user, room_id, type, call.body)

    return _once(call, txn, send)


def redact(call: Call) -> Json:
    room_id, event_id, txn = call.args

    def send() -> Event:
        _limited(call)
        check_content(call.body, text=call.hs.text_refusal)
        return call.hs.world.redact(call.user, room_id, event_id, call.body)

    return _once(call, txn, send)


def put_state(call: Call) -> Json:
    room_id, type, key = call.args
    _limited(call)
    check_content(call.body, text=call.hs.text_refusal)
    check_local_event(type, room_id, call.user, key, call.body)
    return {"event_id": call.hs.world.put_state(call.user, room_id, type, key, call.body).event_id}


def get_state(call: Call) -> Answer:
    events = [event.client() for event in _readable(call).state.values()]
    return Answer(body=events)


def get_state_event(call: Call) -> Json:
    event = _readable(call).state.get((call.args[1], call.args[2]))
    if event is None:
        raise Refused(404, "M_NOT_FOUND", "Event not found.")
    return event.client() if call.query.get("format") == "event" else event.content


def get_event(call: Call) -> Json:
    room = _readable(call)
    event = room.event(call.args[1])
    if event is None or event not in room.visible_to(call.user):
        raise Refused(404, "M_NOT_FOUND", "Event not found.")
    answer, wanted = event.client(), {"rel_type": "m.replace", "event_id": event.event_id}
    edits = [one for one in room.events if one.sender == event.sender and wanted.items() <= one.relation.items()]
    if edits:
        answer["unsigned"]["m.relations"] = {"m.replace": edits[-1].client()}
    return answer


def get_messages(call: Call) -> Json:
    """Pages of the timeline; a token is the place of an event in the whole homeserver."""
    events = _readable(call).visible_to(call.user)
    backwards = call.query.get("dir", "f") == "b"
    ordered = events[::-1] if backwards else events
    start = int(call.query["from"]) if "from" in call.query else None
    if start is not None:
        ordered = [event for event in ordered if (event.order < start if backwards else event.order > start)]
    limit = int(call.query.get("limit", "10"))
    chunk = ordered[:limit]
    out: Json = {"start": str(start or 0), "chunk": [event.client() for event in chunk], "state": []}
    if len(ordered) > limit:
        out["end"] = str(chunk[-1].order)
    return out


# ---- the directory -------------------------------------------------------------------------
def get_aliases(call: Call) -> Json:
    return {"aliases": call.hs.world.aliases_of(_readable(call).room_id)}


def delete_alias(call: Call) -> Json:
    """An application service removes only what is in its own namespace, as in Synapse."""
    alias = call.args[0]
    if alias not in call.hs.world.removable_aliases:
        raise Refused(400, "M_EXCLUSIVE", "This application service has not reserved this kind of alias.")
    if call.hs.world.aliases.pop(alias, None) is None:
        raise Refused(404, "M_NOT_FOUND", "No such alias")
    return {}


def get_listing(call: Call) -> Json:
    if call.args[0] not in call.hs.world.rooms:
        raise Refused(404, "M_NOT_FOUND", "Unknown room")
    return {"visibility": "public" if call.args[0] in call.hs.world.listed else "private"}


def put_listing(call: Call) -> Json:
    room_id, visibility = call.args[0], call.body.get("visibility", "public")
    if room_id not in call.hs.world.rooms:
        raise Refused(400, "M_UNKNOWN", "Unknown room")
    call.hs.world.list_room(call.user, room_id, listed=visibility == "public")
    return {}


# ---- media and the service itself ----------------------------------------------------------
def upload(call: Call) -> Json:
    return {"content_uri": call.hs.world.store_media(call.raw, call.mime)}


def download(call: Call) -> Answer:
    server, media_id = call.args
    found = call.hs.world.media.get(media_id) if server == call.hs.domain else None
    if found is None or not call.path.startswith("/_matrix/client/v1/"):
        raise Refused(404, "M_NOT_FOUND", "Not found")
    return Answer(data=found[0], mime=found[1])


def media_config(call: Call) -> Json:
    return {"m.upload.size": 50 * 1024 * 1024}


async def ping(call: Call) -> Json:
    if call.args[0] != call.hs.appservice_id:
        raise forbidden("Mismatching application service ID in path")
    return await call.hs.delivery.ping(call.body.get("transaction_id"))


ROOM = f"{CLIENT}/rooms{SEG}"
MEDIA = "/media/(?:v3|r0)"
NEW_MEDIA = "/client/v1/media"
ENDPOINTS = (
    *KEY_ENDPOINTS,
    *SYNC_ENDPOINTS,
    ("GET", "/client/versions", versions),
    ("GET", f"{CLIENT}/account/whoami", whoami),
    ("POST", f"{CLIENT}/register", register),
    ("GET", f"{CLIENT}/profile{SEG}(?:/(displayname|avatar_url))?", get_profile),
    ("PUT", f"{CLIENT}/profile{SEG}/(displayname|avatar_url)", put_profile),
    ("POST", f"{CLIENT}/createRoom", create_room),
    ("POST", f"{CLIENT}/join{SEG}", join),
    ("POST", f"{ROOM}/join", join),
    ("POST", f"{ROOM}/(leave|invite|kick|ban|unban)", change_membership),
    ("GET", f"{CLIENT}/joined_rooms", joined_rooms),
    ("GET", f"{ROOM}/joined_members", joined_members),
    ("GET", f"{ROOM}/members", members),
    ("PUT", f"{ROOM}/send{SEG}{SEG}", send_event),
    ("PUT", f"{ROOM}/redact{SEG}{SEG}", redact),
    ("PUT", f"{ROOM}/state{SEG}(?:/([^/]*))?", put_state),
    ("GET", f"{ROOM}/state", get_state),
    ("GET", f"{ROOM}/state{SEG}(?:/([^/]*))?", get_state_event),
    ("GET", f"{ROOM}/event{SEG}", get_event),
    ("GET", f"{ROOM}/messages", get_messages),
    ("GET", f"{ROOM}/aliases", get_aliases),
    ("DELETE", f"{CLIENT}/directory/room{SEG}", delete_alias),
    ("GET", f"{CLIENT}/directory/list/room{SEG}", get_listing),
    ("PUT", f"{CLIENT}/directory/list/room{SEG}", put_listing),
    ("POST", f"{MEDIA}/upload", upload),
    ("GET", f"{NEW_MEDIA}/download{SEG}{SEG}(?:/[^/]*)?", download),
    ("GET", f"{MEDIA}/download{SEG}{SEG}(?:/[^/]*)?", download),
    ("GET", f"{NEW_MEDIA}/config", media_config),
    ("POST", f"/client/v1/appservice{SEG}/ping", ping),
)
