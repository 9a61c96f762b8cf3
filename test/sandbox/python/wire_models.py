"""Checks exchanges with AWS's JSON services against botocore's models.

Standard input: a JSON list of {"service", "operation", "status", "request", "answer"}, the last two as parsed JSON.
Standard output: a JSON list of what does not fit, as text.
"""

import json
import re
import sys

import botocore.session

try:
    import regex as patterns  # knows \\p{L}
except ImportError:
    patterns = None

# Of every service, and so in no model.
COMMON = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidSignatureException",
    "SerializationException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "ValidationException",
}
TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "list": list,
    "map": dict,
    "structure": dict,
}


def fits(pattern, value):
    if "\\p{" in pattern:
        return patterns is None or patterns.search(pattern, value) is not None
    return re.search(pattern, value) is not None


def check(shape, value, path):
    kind = shape.type_name
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{path}: {type(value).__name__} instead of {kind}"
        return
    size = value if kind in ("integer", "long", "float", "double") else None
    if kind in ("string", "list", "map"):
        size = len(value)
    limits = shape.metadata
    if size is not None and "min" in limits and size < limits["min"]:
        yield f"{path}: {size} is less than {limits['min']}"
    if size is not None and "max" in limits and size > limits["max"]:
        yield f"{path}: {size} is more than {limits['max']}"
    if kind == "string":
        if limits.get("enum") and value not in limits["enum"]:
            yield f"{path}: {value} is none of its values"
        if limits.get("pattern") and not fits(limits["pattern"], value):
            yield f"{path}: {value} does not match {limits['pattern']}"
    elif kind == "list":
        for index, item in enumerate(value):
            yield from check(shape.member, item, f"{path}[{index}]")
    elif kind == "map":
        for key, item in value.items():
            yield from check(shape.key, key, f"{path} key")
            yield from check(shape.value, item, f"{path}.{key}")
    elif kind == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"{path}.{name} is missing"
        for name, item in value.items():
            if name in shape.members:
                yield from check(shape.members[name], item, f"{path}.{name}")
            else:
                yield f"{path}.{name} is unknown"


def exchange(session, one):
    model = session.get_service_model(one["service"])
    name = f"{one['service']}:{one['operation']}"
    if one["operation"] not in model.operation_names:
        yield f"{name} is unknown"
        return
    operation = model.operation_model(one["operation"])
    answer = one["answer"]
    if one["status"] >= 400:
        code = answer.get("__type")
        if code not in COMMON and code not in {shape.name for shape in operation.error_shapes}:
            yield f"{name} does not answer {code}"
        return
    if operation.input_shape:
        yield from check(operation.input_shape, one["request"], f"{name} request")
    if operation.output_shape:
        yield from check(operation.output_shape, answer, f"{name} answer")


session = botocore.session.Session()
problems = []
for one in json.load(sys.stdin):
    problems.extend(exchange(session, one))
json.dump(problems, sys.stdout)
