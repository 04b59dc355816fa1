"""What the API takes and gives, as JSON Schemas with examples that run in the order of `EXAMPLES`."""

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
NAME = {"type": "string", "minLength": 1, "maxLength": 128}
ID = {"type": "string", "minLength": 1, "maxLength": 64}
MOMENT = {
    "type": "string",
    "description": "ISO 8601; without a zone it is Asia/Shanghai time; a date is its first moment",
}
FLAG = {"type": ["boolean", "null"]}


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that allows null need not bound the length: an empty text is nothing said."""
    return {key: value for key, value in _maybe(schema).items() if key != "minLength"}


TRANSFER = {
    "type": "object",
    "description": "One transfer. A post, void or expire names its pending_id, a reversal what it reverses; what they "
    "leave out is filled in from there.",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {**ID, "description": "made by the client; sent twice it is recorded once"},
        "debit": {**_plain(NAME), "description": "the account that gives"},
        "credit": {**_plain(NAME), "description": "the account that receives"},
        "instrument": _plain(NAME),
        "amount": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 2**63 - 1,
            "description": "in the instrument's smallest unit",
        },
        "state": {"enum": ["posted", "pending", "post", "void", "expire", "", None]},
        "pending_id": _plain(ID),
        "linked": {**FLAG, "description": "stands or falls with the next one of the same request"},
        "reverses": _plain(ID),
        "reason": {"type": ["string", "null"], "maxLength": 2000},
        "at": _maybe(MOMENT),
        "expires": _maybe(MOMENT),
    },
}
OPENING = {
    "type": "object",
    "required": ["account", "instrument"],
    "additionalProperties": False,
    "properties": {
        "account": NAME,
        "instrument": NAME,
        "owner": _plain(NAME),
        "overdraft": FLAG,
        "unit": {**_plain(NAME), "description": "the instrument's smallest unit: kgce, g, L, 张"},
    },
}
RESULT = {"type": "object", "required": ["id", "result"], "properties": {"id": {}, "result": TEXT}}
OPENED = {"type": "object", "required": ["account", "result"], "properties": {"account": {}, "result": TEXT}}
PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status"],
    "properties": {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT, "instance": TEXT},
}
COUNT = {"type": "integer", "minimum": 0}
DOCUMENT: dict[str, Any] = {"type": "object"}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": why, "content": {"application/problem+json": {"schema": PROBLEM}}}
    for code, why in ((404, "there is no such account or entry"), (422, "refused"))
}


def file(media: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of an answer that is a file."""
    return {200: {"description": "the file", "content": {media: {"schema": {"type": "string", "format": "binary"}}}}}


def _batch(name: str, one: dict[str, Any]) -> dict[str, Any]:
    described = (
        f"Each line is answered on its own; one that is not as described here is refused alone: {one['required']}"
    )
    lines = {"type": "array", "maxItems": 8192, "items": {}, "description": described}
    return {"type": "object", "required": [name], "additionalProperties": False, "properties": {name: lines}}


def _answer(one: dict[str, Any], done: str) -> dict[str, Any]:
    fields = {"results": {"type": "array", "items": one}, done: COUNT, "refused": COUNT}
    return {"type": "object", "required": list(fields), "properties": fields}


EXAMPLES: dict[str, dict[str, Any]] = {
    "accounts": {
        "accounts": [
            {"account": "国家系统", "instrument": "gec", "overdraft": True, "unit": "张"},
            {"account": "甲厂", "instrument": "gec", "owner": "甲厂"},
            {"account": "乙厂", "instrument": "gec", "owner": "乙厂"},
        ]
    },
    "transfers": {
        "transfers": [
            {"id": "2024-06-0001", "debit": "国家系统", "credit": "甲厂", "instrument": "gec", "amount": 1000},
            {"id": "2024-06-0002", "debit": "甲厂", "credit": "乙厂", "instrument": "gec", "amount": 5000},
        ]
    },
    "transfer": {
        "id": "2024-06-0003",
        "debit": "甲厂",
        "credit": "乙厂",
        "instrument": "gec",
        "amount": 400,
        "reason": "六月转让",
        "at": "2024-06-30T08:00:00+08:00",
    },
    "verify": {"heads": [], "key": None},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "accounts": {
        "results": [{"account": name, "result": "ok"} for name in ("国家系统", "甲厂", "乙厂")],
        "opened": 3,
        "refused": 0,
    },
    "transfers": {
        "results": [
            {"id": "2024-06-0001", "result": "ok"},
            {"id": "2024-06-0002", "result": "insufficient_balance"},
        ],
        "posted": 1,
        "refused": 1,
    },
    "transfer": {"id": "2024-06-0003", "result": "ok"},
}
VERIFY = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "heads": {"type": "array", "items": {"type": "object"}, "description": "your own copies of signed heads"},
        "key": {"type": ["string", "null"], "pattern": "^[0-9a-fA-F]{64}$", "description": "the public key you trust"},
    },
}
BODIES = {
    "accounts": (_batch("accounts", OPENING), _answer(OPENED, "opened")),
    "transfers": (_batch("transfers", TRANSFER), _answer(RESULT, "posted")),
    "transfer": (TRANSFER, RESULT),
    "verify": (VERIFY, DOCUMENT),
}


def described(name: str, *more: tuple[int, str]) -> dict[str, Any]:
    """The OpenAPI description of the POST endpoint `name`: body, header, answers; `more` are its problem answers."""
    body, answer = BODIES[name]
    media: dict[str, Any] = {"schema": answer}
    if name in ANSWERS:
        media["example"] = ANSWERS[name]
    problems = {400: "the body is not JSON of this shape", 503: "the database cannot write now"}
    told = {
        str(code): {"description": why, "content": {"application/problem+json": {"schema": PROBLEM}}}
        for code, why in (problems | dict(more)).items()
    }
    return {
        "parameters": [] if name == "verify" else [KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": body, "example": EXAMPLES[name]}},
        },
        "responses": {"200": {"description": "answered", "content": {"application/json": media}}, **told},
    }


KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "a key of the client's making: the same key and body gets the first answer again",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
}
