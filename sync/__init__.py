"""The exchange with the platform: envelope, client, outbox runner, result pull."""

from dipgate.sync.client import Page, PlatformClient, Receipt
from dipgate.sync.payload import Packet, Uploader, to_4101a
from dipgate.sync.pull import PullReport, pull_month
from dipgate.sync.sender import Sender, SendReport, require_live

__all__ = [
    "Packet",
    "Page",
    "PlatformClient",
    "PullReport",
    "Receipt",
    "SendReport",
    "Sender",
    "Uploader",
    "pull_month",
    "require_live",
    "to_4101a",
]
