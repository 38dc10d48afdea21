#!/usr/bin/env python3
"""Renders the templates of Tests/Fixtures/chat-templates.json with Jinja2, for the tests of ChatTemplates.

The file holds templates and the variables that all of them see, written by hand, and beside each template what Jinja2 makes of it in the
environment that transformers gives to chat templates; null where Jinja2 refuses it. This program fills in the latter. To add a case, add
{"template": ...} to the list and run it. Needs jinja2 (3.1.6 gave what is there); the tests themselves do not. With --check nothing is written: cases whose
recorded output is another than Jinja2's are printed, and the exit code is 1 if there is one.

usage: Tools/make_template_cases.py [--check] [FILE]
"""
import datetime
import json
import pathlib
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What strftime_now prints; TemplateCases.date in Tests/ChatTemplatesTests is the same.
NOW = datetime.datetime(2026, 11, 5, 14, 7, 9)


class Generation(Extension):
    """{% generation %} marks what the model wrote; the text is the same without it."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    """Jinja's own one escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = NOW.strftime
    return made


def rendered(jinja, template, variables):
    """None where Jinja2 refuses the template, or where a filter of it meets a value that it cannot take."""
    try:
        return jinja.from_string(template).render(**variables)
    except (jinja2.exceptions.TemplateError, TypeError, ValueError, OverflowError, ArithmeticError, LookupError, AttributeError):
        return None


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    checks = len(arguments) < len(sys.argv) - 1
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        sys.exit(__doc__)
    path = pathlib.Path(arguments[0]) if arguments else ROOT / "Tests/Fixtures/chat-templates.json"
    text = path.read_text(encoding="utf-8")
    document = json.loads(text)
    jinja, differing = environment(), 0
    for number, case in enumerate(document["cases"]):
        output = rendered(jinja, case["template"], document["variables"])
        if checks and ("output" not in case or case["output"] != output):
            differing += 1
            print(f"case {number}: {case['template']!r}\n  recorded {case.get('output', 'nothing')!r}\n  Jinja2   {output!r}")
        case["output"] = output
    new = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    if checks:
        same = "all equal" if not differing else f"{differing} differ"
        print(f"{path}: {len(document['cases'])} cases, {same} (jinja2 {jinja2.__version__})")
        sys.exit(1 if differing else 0)
    if new != text:
        path.write_text(new, encoding="utf-8")
    print(f"{path}: {len(document['cases'])} cases, {'written' if new != text else 'as they were'}")


if __name__ == "__main__":
    main()
