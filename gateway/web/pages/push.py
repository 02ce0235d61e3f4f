"""Rows pushed by the hospital's own system: `POST /api/push/<source>` with a token."""

from __future__ import annotations

import re

from flask import Response

from dipgate.core.errors import RecordError
from dipgate.pipeline import push_stage
from dipgate.web.guard import Permission
from dipgate.web.routes import route
from dipgate.web.service import Call, body_of, charset_of, refusal

_MESSAGE = re.compile(r"[!-~]{1,200}")
_HEADERS = ("Idempotency-Key", "X-Message-Id")


@route("/api/push/<source>", needs=Permission.PUSH_ROWS, methods=("POST",))
def take(call: Call, source: str) -> Response:
    """Store the rows of the body; the answer comes once they are durable."""
    if source != call.token.source:
        # The same words whether there is such a source or not.
        return refusal(403, "这个令牌不能推送到这里", "核对地址里的来源名，或向信息科要令牌")
    desk = call.web.desk
    spec = push_stage.push_source(desk, source)
    if spec is None:
        return refusal(404, "站点文件里已没有这个推送来源", "请信息科核对站点文件")
    named = {value for name in _HEADERS if (value := call.header(name))}
    if len(named) > 1 or any(_MESSAGE.fullmatch(value) is None for value in named):
        return refusal(
            400, "消息号不对", "Idempotency-Key 写一个号，1 到 200 个可见的 ASCII 字符，不含空格"
        )
    message = named.pop() if named else ""
    data = body_of(call.request)
    if isinstance(data, Response):
        return data
    try:
        said = push_stage.earlier_answer(desk, source, message, data)
        again = said is not None
        if said is None:
            charset = charset_of(call.request)
            said = push_stage.take_push(
                desk, spec, data, token=call.token, message=message, charset=charset
            )
    except push_stage.OtherContent:
        return refusal(409, "这个消息号用过，内容不同", "新内容用新的消息号")
    except RecordError as error:
        return refusal(400, error.what, error.remedy)
    call.web.runtime.ask_soon("intake")
    answer = Response(said, content_type="application/json")
    if again:
        answer.headers["Idempotency-Replayed"] = "true"
    return answer
