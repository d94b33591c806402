"""Reads what the dialects write with parsers that others wrote, and compares what they understood.

Usage: judge.py FOLDER, which holds one file of JSON lines for each dialect. The packages are pinned
in xtask/src/tools.rs. Ends with a word of praise, or with the first ten complaints.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import pycef
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.formats.json import JSONFormat
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from syslog_rfc5424_parser import SyslogMessage

FOLDER = Path(sys.argv[1])
complaints = []
seen = Counter()


def events(dialect):
    for line in (FOLDER / f"{dialect}.ndjson").read_text(encoding="utf-8").splitlines():
        seen[dialect] += 1
        yield json.loads(line)


def expect(dialect, event, what, found, wanted):
    if found != wanted:
        complaints.append(f"{dialect}: {event['type']}: {what}: {found!r}, not {wanted!r}")


def cloudevents():
    for dialect in ("cloudevents", "cloudevents-binary"):
        for event in events(dialect):
            headers = {"content-type": event["media_type"], **dict(event["headers"])}
            message = HTTPMessage(headers, event["body"].encode())
            read = from_http_event(message, JSONFormat())
            native = event["native"]
            expect(dialect, event, "id", read.get_id(), native["id"])
            expect(dialect, event, "type", read.get_type(), native["type"])
            expect(dialect, event, "source", read.get_source(), native["source"])
            expect(dialect, event, "subject", read.get_subject(), native.get("subject"))
            expect(dialect, event, "data", read.get_data(), native["data"])


def ocsf():
    """Leaves the schemas of the classes for the caller, who has a validator of JSON Schema."""
    schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    found = {}
    for event in events("ocsf"):
        body = json.loads(event["body"])
        uid = body["class_uid"]
        if uid not in found:
            found[uid] = schemas.get_class_schema(schemas.lookup_class_name_from_uid(uid))
        expect("ocsf", event, "type_uid", body["type_uid"], uid * 100 + body["activity_id"])
    (FOLDER / "ocsf.schemas.json").write_text(json.dumps(found), encoding="utf-8")


def syslog():
    for event in events("rfc5424"):
        read = SyslogMessage.parse(event["body"])
        data = read.sd["chancery@32473"]
        expect("rfc5424", event, "id", data["id"], event["id"])
        expect("rfc5424", event, "type", data["type"], event["type"])
        expect("rfc5424", event, "message id", read.msgid, event["type"][:32])
        expect("rfc5424", event, "facility", read.facility.name, "audit")


def cef():
    for event in events("cef"):
        read = pycef.parse(event["body"])
        if read is None:
            complaints.append(f"cef: {event['type']}: not understood: {event['body']}")
            continue
        expect("cef", event, "externalId", read.get("externalId"), event["id"])
        expect("cef", event, "signature", read["DeviceEventClassID"], event["type"])


def leef():
    """No package reads version 2 with its own delimiter; this follows the vendor's guide."""
    for event in events("leef"):
        head, members = event["body"].rsplit("|x09|", 1)
        version, _vendor, _product, _version, signature = head.split("|")
        pairs = dict(member.split("=", 1) for member in members.split("\t"))
        expect("leef", event, "version", version, "LEEF:2.0")
        expect("leef", event, "event", signature, event["type"])
        expect("leef", event, "eventId", pairs["eventId"], event["id"])


cloudevents()
ocsf()
syslog()
cef()
leef()
if complaints:
    counted = Counter(complaint.split(":", 1)[0] for complaint in complaints)
    print(dict(counted), *complaints[:10], sep="\n", file=sys.stderr)
    sys.exit(1)
print(f"accepted: {', '.join(sorted(seen))}; {min(seen.values())} events each")
