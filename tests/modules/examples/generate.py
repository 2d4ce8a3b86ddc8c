#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints the examples in the documentation of Rust files as functions for examples.rs.

Usage: generate.py FILE...

The kernel's own generator, scripts/rustdoc_test_gen.rs, makes tests that are a crate of their own.
Such a crate sees public items only, and there are none here. As for rustdoc, a line that begins
with '# ' is part of the code but not of the page, and ```no_run compiles only.
"""

import os
import re
import sys


def examples(path):
    """Yields (line, attributes, code, item) for each example of a file."""
    found = []  # those whose item comes below
    code = None
    scope = ""
    for number, line in enumerate(open(path), 1):
        comment = re.match(r"\s*//([/!]) ?(.*)", line)
        if comment:
            kind, text = comment.groups()
            fence = re.match(r"```(\S*)$", text)
            if code is not None and fence:
                found.append((start, attributes, code))
                code = None
                if kind == "!":
                    yield *found.pop(), ""
            elif code is not None:
                code.append(re.sub(r"^# |^#$", "", text))
            elif fence:
                code, start, attributes = [], number, fence[1]
            continue
        if block := re.match(r"(?:unsafe )?impl.*?(\w+)(?:<[^{]*>)? \{|}", line):
            scope = block[1] or ""
        item = re.match(r"(\s*)(?:pub\S* )?(?:const |unsafe )*(?:fn|struct|enum|trait|macro_rules!) (\w+)", line)
        if item:
            name = f"{scope}::{item[2]}" if item[1] and scope else item[2]
            for example in found:
                yield *example, name
            found = []


def condition(path):
    """Returns the cfg attribute that mod.rs has on the file's module."""
    mod = os.path.join(os.path.dirname(path), "mod.rs")
    name = os.path.basename(path).removesuffix(".rs")
    if not os.path.exists(mod):
        return ""
    found = re.search(rf"^(#\[cfg.*\]\n)pub\S* mod {name};", open(mod).read(), re.M)
    return found[1] if found else ""


def main():
    table = []
    for path in sys.argv[1:]:
        folder, file = path.split("/")[-2:]
        module = file.removesuffix(".rs") if folder == "primitives" else folder
        scope = f"primitives::{module}" if folder == "primitives" else folder
        cfg = condition(path)
        names = {}
        for line, attributes, code, item in examples(path):
            where = "/".join(path.split("/")[-2:]) + f":{line}"
            if attributes not in ("", "no_run"):
                if attributes in ("text", "c", "sh"):
                    continue
                sys.exit(f"{where}: an example must not be '{attributes}'")
            name = f"{module}::{item}" if item else module
            names[name] = names.get(name, 0) + 1
            if names[name] > 1:
                name += f".{names[name]}"
            function = re.sub(r"\W+", "_", name)
            while code and not code[-1]:
                code.pop()
            if not (code and code[-1].startswith("Ok::<")):
                code.append("Ok(())")
            print(f"// {where}\n{cfg}fn {function}(module: &'static ThisModule) -> Result {{")
            print(f"    use crate::{scope}::*;\n")
            print("".join(f"    {text}\n" if text else "\n" for text in code) + "}\n")
            run = "None" if attributes else f"Some({function})"
            table.append(f'{cfg}    ("{name}", "{where}", {run}),\n')
    print(f"pub(super) static EXAMPLES: &[Example] = &[\n{''.join(table)}];")


main()
