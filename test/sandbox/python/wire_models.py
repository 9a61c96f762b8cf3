"""Checks exchanges with AWS's services against botocore's models.

Standard input: a JSON list of {"service", "operation", "status", "request", "answer"}, the last two as parsed JSON; of services that
speak forms and XML the parameters by their names, and the XML as text.
Standard output: a JSON list of what does not fit, as text.
"""

import json
import re
import sys
import xml.etree.ElementTree as xml

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
# The same of services that speak forms.
FORM_COMMON = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAction",
    "InvalidClientTokenId",
    "InvalidParameterValue",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "Throttling",
    "ValidationError",
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
    if value is None:
        yield f"{path} is unknown"
        return
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return
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


def form_name(member, name, is_ec2):
    if not is_ec2:
        return member.serialization.get("name", name)
    known = member.serialization.get("queryName")
    if known is None:
        known = member.serialization.get("name", name)
        known = known[0].upper() + known[1:]
    return known


def of_text(shape, text):
    kind = shape.type_name
    if kind in ("integer", "long") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "timestamp" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
        return 0
    return text


def from_form(shape, parameters, prefix, is_ec2, used):
    """The value that parameters of this prefix stand for; None: there are none. `used` gets the names of those that were read."""
    dot = prefix and prefix + "."
    kind = shape.type_name
    if kind == "structure":
        found = {}
        for name, member in shape.members.items():
            value = from_form(member, parameters, dot + form_name(member, name, is_ec2), is_ec2, used)
            if value is not None:
                found[name] = value
        return found if found or not prefix else None
    if kind == "list":
        if not is_ec2 and not shape.serialization.get("flattened"):
            dot += shape.member.serialization.get("name", "member") + "."
        items = []
        while True:
            item = from_form(shape.member, parameters, f"{dot}{len(items) + 1}", is_ec2, used)
            if item is None:
                return items or None
            items.append(item)
    if prefix not in parameters:
        return None
    used.add(prefix)
    return of_text(shape, parameters[prefix])


def tag_of(node):
    return node.tag.rpartition("}")[2]


def from_xml(shape, node, is_ec2):
    kind = shape.type_name
    if kind == "structure":
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        found = {}
        for child in node:
            name = names.get(tag_of(child))
            if name is None:
                found[tag_of(child)] = None
            elif shape.members[name].serialization.get("flattened"):
                found.setdefault(name, []).append(from_xml(shape.members[name].member, child, is_ec2))
            else:
                found[name] = from_xml(shape.members[name], child, is_ec2)
        return found
    if kind == "list":
        wanted = shape.member.serialization.get("name", "item" if is_ec2 else "member")
        return [from_xml(shape.member, child, is_ec2) if tag_of(child) == wanted else None for child in node]
    return of_text(shape, node.text or "")


def form_exchange(operation, one, name, is_ec2):
    used = {"Action", "Version"}
    if operation.input_shape:
        value = from_form(operation.input_shape, one["request"], "", is_ec2, used)
        yield from check(operation.input_shape, value, f"{name} request")
    for other in sorted(set(one["request"]) - used):
        yield f"{name} request.{other} is unknown"
    root = xml.fromstring(one["answer"])
    if one["status"] >= 400:
        code = next((node.text for node in root.iter() if tag_of(node) == "Code"), None)
        codes = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
        if not is_ec2 and code not in codes | FORM_COMMON:
            yield f"{name} does not answer {code}"
        return
    if not is_ec2:
        root = next((child for child in root if tag_of(child).endswith("Result")), root)
    root[:] = [child for child in root if tag_of(child) not in ("requestId", "ResponseMetadata")]
    if operation.output_shape:
        yield from check(operation.output_shape, from_xml(operation.output_shape, root, is_ec2), f"{name} answer")


def exchange(session, one):
    model = session.get_service_model(one["service"])
    name = f"{one['service']}:{one['operation']}"
    if one["operation"] not in model.operation_names:
        yield f"{name} is unknown"
        return
    operation = model.operation_model(one["operation"])
    protocol = model.metadata["protocol"]
    if protocol in ("ec2", "query"):
        yield from form_exchange(operation, one, name, protocol == "ec2")
        return
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
