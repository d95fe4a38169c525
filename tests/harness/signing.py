"""The cross-signing keys of a user, as the spec has them under "Cross-signing"."""

from __future__ import annotations

from typing import Any

from signedjson.key import encode_verify_key_base64, generate_signing_key, get_verify_key
from signedjson.sign import sign_json


class Identity:
    """A master key, and the two keys that it signs; made new, kept nowhere."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self._master, self._self_signing, self._user_signing = (generate_signing_key("") for _ in range(3))
        for key in (self._master, self._self_signing, self._user_signing):
            key.version = encode_verify_key_base64(get_verify_key(key))  # a public key is its own name here

    def keys(self) -> dict[str, Any]:
        """The body of `POST /keys/device_signing/upload`."""
        signed = {
            "self_signing_key": self._public("self_signing", self._self_signing),
            "user_signing_key": self._public("user_signing", self._user_signing),
        }
        master = {"master_key": self._public("master", self._master)}
        return master | {name: sign_json(key, self.user_id, self._master) for name, key in signed.items()}

    def sign_device(self, device_keys: dict[str, Any]) -> dict[str, Any]:
        """The keys of an own device as `POST /keys/query` returned them, signed by the self-signing key."""
        bare = {key: value for key, value in device_keys.items() if key != "unsigned"}
        return dict(sign_json(bare, self.user_id, self._self_signing))

    def _public(self, usage: str, key: Any) -> dict[str, Any]:
        return {"user_id": self.user_id, "usage": [usage], "keys": {f"ed25519:{key.version}": key.version}}
