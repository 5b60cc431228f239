"""conf/gatepost.schema.json against `gatepost check`: what the program takes the schema takes, and what the schema can know to be wrong
both refuse, at the same key. That it has the keys of the table is held by tests/unit/conf/json_schema_test.cpp.
"""
import json
import os
import re

import jsonschema
import pytest
import yaml
from harness.gatepost import command
from harness.packages import ROOT

SCHEMA = json.loads((ROOT / "conf/gatepost.schema.json").read_text())
FIXTURES = ROOT / "tests/conf"
SHIPPED = [ROOT / "conf/gatepost.yaml", *sorted(ROOT.glob("deploy/*/gatepost.yaml"))]


class Loader(yaml.SafeLoader):
    """YAML 1.2 as editors and the program read it: `off` and 2026-01-01 are text."""

    yaml_implicit_resolvers = {}


for tag, pattern, first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+", [*"-+0123456789"]),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)


def read(text):
    found = yaml.load(text, Loader)  # noqa: S506: it is a safe one
    return {} if found is None else found


def place(words):
    return "".join(f"[{word}]" if isinstance(word, int) else f".{word}" for word in words).lstrip(".")


def refused_by_schema(config):
    """The keys that it finds wrong, by path."""
    paths = set()
    for error in jsonschema.Draft7Validator(SCHEMA).iter_errors(config):
        at, names = list(error.absolute_path), [None]
        if error.validator == "additionalProperties":
            names = error.instance.keys() - error.schema["properties"].keys()
        elif error.validator == "required":
            names = [name for name in error.validator_value if name not in error.instance]
        elif error.parent is None and "propertyNames" in error.absolute_schema_path:
            names = [error.instance]
        elif error.validator == "uniqueItems":
            names = [index for index, one in enumerate(error.instance) if one in error.instance[:index]]
        paths |= {place(at if name is None else [*at, name]) for name in names}
    return paths


# What is wrong with one value or key alone; the rest is files, the environment, and what keys say together.
ALONE = re.compile(r"expected |unknown key|missing; expected|(missing; )?at least one is needed|.*: not available yet$|\".*\" is listed twice|not available yet")
BEYOND = [
    r"expected .*, (from .* to|at least) .*, found \"[0-9]+[A-Za-z]*\"",  # it holds numbers to bounds, but not those with units or in quotes
    r"expected .*, found \"[0-9]+[.e][0-9]+\"",  # how a number is written
    r"expected .*, found \".*(/33|:70000)\"",  # how much may stand behind an address
    r"\"0.0.0.0/0\" is listed twice",  # and ::ffff:0:0/96 before it
    r".*, found a line end or another control character",
]


def problems(lines):
    """{path: message} of what the program said."""
    found = [re.match(r"[^:]*:\d+:\d+: ([\w.\[\]*-]+): (.*)", line) for line in lines]
    return {one[1]: one[2] for one in found if one and ALONE.match(one[2])}


def hold(config, said, everything):
    """Both see the same; `everything` that the program said counts against what the schema refuses."""
    # Of a backend of which it does not know the type the program looks at nothing else.
    ours = {path for path in refused_by_schema(config) if path.endswith(".type") or ".".join([*path.split(".")[:2], "type"]) not in everything}
    assert all(any(path == one or path.startswith((f"{one}[", f"{one}.")) for one in everything) for path in ours), "refused by the schema alone"
    must = {path for path, message in said.items() if not any(re.fullmatch(one, message) for one in BEYOND)}
    assert not must - ours, {path: said[path] for path in must - ours}


@pytest.mark.parametrize("file", [*SHIPPED, *sorted(FIXTURES.glob("*.good.yaml"))], ids=lambda file: str(file.relative_to(ROOT)))
def test_takes_what_is_right(file):
    jsonschema.validate(read(file.read_text()), SCHEMA, jsonschema.Draft7Validator)


NOT_OUR_YAML = {"not-yaml", "quote-that-never-ends", "beyond-plain-yaml", "written-twice", "not-a-map", "star-without-quotes"}
BAD = [file for file in sorted(FIXTURES.glob("*.bad.yaml")) if file.name.partition(".")[0] not in NOT_OUR_YAML]


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.name)
def test_refuses_what_is_wrong(file):
    lines = [f"x:{line.removeprefix('# expect: ')}" for line in file.read_text().splitlines() if line.startswith("# expect: ")]
    everything = {re.match(r"x:\d+:\d+: ([^ ]+):", line)[1] for line in lines}
    # What ${NAME} is only the program knows.
    hold(read(file.read_text()), problems(lines) if "environment" not in file.name else {}, everything)


def test_is_a_schema():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([], SCHEMA)


def filled(schema, scalar, listed):
    """YAML in which every value is the same: `scalar`, in a list where there is one if `listed`."""
    if "properties" in schema:
        return "{" + ", ".join(f"{name}: {filled(one, scalar, listed)}" for name, one in schema["properties"].items()) + "}"
    if "items" in schema:
        inner = filled(schema["items"], scalar, listed)
        return f"[{inner}]" if listed or "properties" in schema["items"] else inner
    if "additionalProperties" in schema:
        inner = filled(schema["additionalProperties"], scalar, listed)
        return f"{{x: {inner}}}" if listed else inner
    return scalar


def backends(scalar, listed):
    """One of each type, and one whose type is the value."""
    each = SCHEMA["properties"]["backends"]["additionalProperties"]
    made = {"other": filled(each, scalar, listed)}
    for rule in each["allOf"]:
        known = {name: each["properties"][name] for name in rule["then"]["propertyNames"]["enum"] if name != "type"}
        type = rule["if"]["properties"]["type"]["const"]
        made[type] = f"{{type: {type}, {filled({'properties': known}, scalar, listed)[1:]}"
    return "{" + ", ".join(f"{name}: {one}" for name, one in made.items()) + "}"


VALUES = """
text|a b|""|~|[]|{}|[a]|{a: b}|true|false|yes|"true"|auto|off|none
0|1|-1|7|65536|1.2|1.3|1.20|535|"5"|007|99999999999|1.5|1e3|-
0s|5s|00ms|10ms|5 m|5x|2d|1h|m|64KiB|50MiB|1MB|1kB|1kb|10k|0KiB|5/1h|5MiB/1m|0/1h|5/0s|5/h|/1h|5/1h/1h
127.0.0.1|"127.0.0.1:25"|"127.0.0.1:0"|"[::1]:25"|"::1:25"|"::1"|"::"|1.2.3|10.0.0.0/8|2001:db8::/32|10.0.0.0/|"::ffff:1.2.3.4"|"[::ffff:1.2.3.4]:25"
mta.internal|"mta.internal:25"|mta.internal.|mta..internal|.mta|a_b-c|"[192.0.2.1]"|"[IPv6:::1]"|"[IPv6:192.0.2.1]"|"[]"|unix:/run/x|unix:x|/etc/hostname
redis://x|rediss://x|"rediss-sentinel://x:1,y:1/m/0"|redis-sentinel://x/m|unix:///run/x|http://x|redis://|"redis://a b"
plain|PLAIN|Scram-Sha-256|OAUTHBEARER|oauthbearer|PLAINE|starttls|Starttls|1.1|info|file|redis|sasl|normalize|own|525|email|required|xclient|local
"${WORD}"|"${NUMBER}"|"$${NUMBER}"|"${}"|"a$b"|"${"
"""
VALUES = [value for line in VALUES.strip().splitlines() for value in line.split("|")]


@pytest.mark.parametrize("listed", [True, False], ids=["in lists", "bare"])
@pytest.mark.parametrize("value", VALUES)
def test_every_key_with_every_value(value, listed, tmp_path):
    """The program says at once what it finds wrong in all of them. Files are not there, which is not the schema's to know."""
    known = {name: one for name, one in SCHEMA["properties"].items() if name != "backends"}
    text = f"{filled({'properties': known}, value, listed)[:-1]}, backends: {backends(value, listed)}}}"
    file = tmp_path / "gatepost.yaml"
    file.write_text(text)
    ran = command("check", "--config", file, env=os.environ | {"WORD": "word", "NUMBER": "5"})
    assert ran.returncode == 1, ran.stdout
    lines = ran.stderr.splitlines()
    everything = {match[1] for match in (re.match(r"[^:]*:\d+:\d+: ([^ ]+):", line) for line in lines) if match}
    said = problems(lines) if "${" not in value else {}
    hold(read(text), said, everything)


WHOLE = ["tls: 5", "tls: [a]", "listeners: ~", "listeners: {}", "listeners: [~]", "listeners: [a]", "upstreams: []", "upstreams: [{}]", "routes: ~", "routes: [{}]", "backends: []", "backends: {a: ~}", "backends: {a b: {type: sasl}}", "backends: {a: {type: sasl, url: x}}",
         "backends: {a: {type: '${WORD}', realm: x}}", "backends: {a: {type: '${WORD}', relm: x}}", "backends: {a: {type: pam, url: x}}", "auth: {mechanisms: ~}", "auth: {mechanisms: [PLAIN, PLAIN]}", "auth: {mechanism: [PLAIN]}", "limits: ~", "limits: [{when: ~, classes: {a b: 5/1h}}]", "limits: [{whem: {}}]",
         "upstreams: [{pool: {max_idel: 5}}]", "admin: {adress: x}", "listner: []", "drain: {delay: 5}"]  # fmt: skip


@pytest.mark.parametrize("text", WHOLE)
def test_maps_lists_and_unknown_keys(text, tmp_path):
    file = tmp_path / "gatepost.yaml"
    file.write_text(text + "\n")
    lines = command("check", "--config", file, env=os.environ | {"WORD": "sasl"}).stderr.splitlines()
    everything = {match[1] for match in (re.match(r"[^:]*:\d+:\d+: (.+?): ", line) for line in lines) if match}
    hold(read(text), problems(lines), everything)
