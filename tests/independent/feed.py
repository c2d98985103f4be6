#!/usr/bin/env python3
"""Reads a calendar from stdin with somebody else's parser and tells what it holds, as JSON.

Refuses what that parser had to pass over. Every event has to be a whole day and to be named once.
"""

import json
import sys

from icalendar import Calendar


def day(value):
    assert type(value).__name__ == "date", f"{value!r} is no day"
    return value.isoformat()


def main():
    calendar = Calendar.from_ical(sys.stdin.buffer.read())
    assert not calendar.errors, calendar.errors
    events = []
    for part in calendar.walk():
        assert part.name in ("VCALENDAR", "VEVENT"), part.name
        assert not part.errors, part.errors
        if part.name != "VEVENT":
            continue
        events.append(
            {
                "uid": str(part["UID"]),
                "summary": str(part["SUMMARY"]),
                "description": str(part.get("DESCRIPTION", "")),
                "start": day(part.decoded("DTSTART")),
                "end": day(part.decoded("DTEND")),
                "sequence": int(part["SEQUENCE"]),
                "stamp": part.decoded("DTSTAMP").isoformat(),
                "modified": part.decoded("LAST-MODIFIED").isoformat(),
                "transparent": str(part["TRANSP"]) == "TRANSPARENT",
                "categories": [str(one) for one in part["CATEGORIES"].cats] if "CATEGORIES" in part else [],
            }
        )
    uids = [event["uid"] for event in events]
    assert len(set(uids)) == len(uids), "a UID twice"
    about = {
        "version": str(calendar["VERSION"]),
        "name": str(calendar["X-WR-CALNAME"]),
        "refreshed_every": calendar.decoded("REFRESH-INTERVAL").total_seconds(),
        "events": events,
    }
    json.dump(about, sys.stdout)


if __name__ == "__main__":
    main()
