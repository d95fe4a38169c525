"""End-to-end encryption: the bot's device, what others give it to read, and what it writes.

Nothing here may be imported before our own `olm` has taken python-olm's place, hence this line.
"""

from appservice.matrix import olm

olm.register()
