"""What the server answers where it takes no more, in English."""

from __future__ import annotations

REFUSED_EN: dict[str, str] = {
    "refused.body": "The request has {asked} bytes, and at most {allowed} are taken. Send less.",
    "refused.upload": "The file has {asked} bytes or more, and at most {allowed} are taken here. Open a larger one "
    "with `decoding-explorer open` on your own machine.",
    "refused.value": "A field holds {asked} bytes, and at most {allowed} are taken. Shorten it.",
    "refused.event": "The event carries {asked} bytes, and at most {allowed} are taken. Send less.",
    "refused.slow": "The request took longer than {allowed} seconds to arrive. Send it again.",
    "refused.depth": "The request has lists within lists, {asked} levels or more, and at most {allowed} are taken.",
    "refused.shape": "The request cannot be read: {asked}.",
    "refused.runs": "Too many runs were asked for: at most {allowed} a minute are taken here. Try again in "
    "{seconds} s.",
    "refused.requests": "Too many requests came at once: at most {allowed} a second are taken here. Try again in "
    "{seconds} s.",
    "refused.uploads": "Too many files were sent: at most {allowed} a minute are taken here. Try again in {seconds} s.",
    "refused.open": "Too many requests are open at once: at most {allowed} are taken here. Close other tabs, or try "
    "again in {seconds} s.",
    "refused.room": "There is no room for more files at the moment. Try again in {seconds} s.",
    "refused.stopping": "The server is being stopped and begins nothing new. Try again in {seconds} s.",
    "refused.closed": "There is nothing here.",
    "refused.file": "Only files that this page made are served.",
    "refused.foreign": "This server answers pages of its own only, not those of {asked}.",
    "refused.bug": "Something went wrong that should not have (error {id}). Whoever runs this server finds the details "
    "under that number in its log.",
    "refused.junk": "The request does not fit what it asks for (error {id}).",
}
