"""Calls: helpers with a signature, and the forms that have a syntax of their own."""

from __future__ import annotations

import ast
from dataclasses import replace

from dipgate.validators import language
from dipgate.validators.expressions import CLASSES, Expressions
from dipgate.validators.language import FORMS, HELPERS, Kind
from dipgate.validators.patterns import compile_pattern
from dipgate.validators.spans import compile_spans
from dipgate.validators.terms import Refusal, Scope, Term, nearest


class Calls(Expressions):
    """Calls about values; those that walk rows stand in `translate`."""

    def _call(self, node: ast.Call, scope: Scope) -> Term:
        if not isinstance(node.func, ast.Name):
            raise Refusal("只能调用规则函数，不能调用方法", node)
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            raise Refusal("规则函数的参数只能按位置写", node)
        word = node.func.id
        helper = HELPERS.get(word)
        if helper is not None:
            return self._helper(helper, node, scope)
        if word in FORMS:
            form = getattr(self, f"_form_{word}")
            term: Term = form(node, scope)
            return term
        words = [*HELPERS, *FORMS]
        raise Refusal(f"没有规则函数 {word}{nearest(word, words)}", node)

    def _helper(self, helper: language.Helper, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, len(helper.params), len(helper.params))
        arguments = [
            self._closed(argument, scope, kind)
            for kind, argument in zip(helper.params, node.args, strict=True)
        ]
        for need in helper.needs:
            self.needs[need] = None
        for name in helper.uses:
            self._local(self.build.resource(name))
        return Term(helper.code.format(*arguments), helper.result)

    def _form_money(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 1, 1)
        term = self._term(node.args[0], scope)
        if term.kind is not Kind.NUMBER:
            raise Refusal(f"这里要数字，得到的是{term.kind.value}", node)
        whole = f"{term.code}.__class__ is Decimal and not {term.code} % CENT"
        return Term(f"({term.code} is None or ({whole}))", Kind.BOOL)

    def _form_part(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 3, 3)
        text = self._closed(node.args[0], scope, Kind.TEXT)
        ends = []
        for argument in node.args[1:]:
            value = argument.value if isinstance(argument, ast.Constant) else None
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
                raise Refusal("part 的起止要写成 1–1000 的整数", argument)
            ends.append(value)
        return Term(f"{text}[{ends[0] - 1}:{ends[1]}]", Kind.TEXT)

    def _form_blank(self, node: ast.Call, scope: Scope) -> Term:
        return self._presence(node, scope, "not ")

    def _form_given(self, node: ast.Call, scope: Scope) -> Term:
        return self._presence(node, scope, "")

    def _presence(self, node: ast.Call, scope: Scope, negation: str) -> Term:
        self._arity(node, 1, 20)
        pieces = []
        for argument in node.args:
            term = self._term(argument, scope)
            if term.kind is Kind.TEXT:
                pieces.append(f"{negation}{term.code}" if negation else f"{term.code} != ''")
            elif term.loose:
                pieces.append(f"{term.code} is {'' if negation else 'not '}None")
            else:
                raise Refusal("blank/given 只能问字段", argument)
        return Term(f"({' and '.join(pieces)})", Kind.BOOL)

    def _form_readable(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 1, 20)
        pieces = []
        for argument in node.args:
            term = self._term(argument, scope)
            if term.field is None or term.kind not in CLASSES:
                raise Refusal("readable 只能问数字或时间字段", argument)
            pieces.append(f"{term.code}.__class__ is {CLASSES[term.kind]}")
        return Term(f"({' and '.join(pieces)})", Kind.BOOL)

    def _form_first_given(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 2, 8)
        terms = [self._term(argument, scope) for argument in node.args]
        last = terms[-1]
        if any(term.kind is not last.kind for term in terms) or last.kind is Kind.BOOL:
            raise Refusal("first_given 的各项类型要一样", node)
        if last.kind is Kind.TEXT:
            return Term(f"({' or '.join(term.code for term in terms)})", Kind.TEXT)
        code = last.code
        for term in reversed(terms[:-1]):
            code = f"({term.code} if {term.code} is not None else {code})"
        return replace(last, code=f"closed_{'time' if last.kind is Kind.TIME else 'number'}"
                       f"({code}, {last.label!r})", loose=False, field=None)  # fmt: skip

    def _form_zero(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 1, 1)
        term = self._term(node.args[0], scope)
        if term.kind is not Kind.NUMBER or not term.loose:
            raise Refusal("zero 只能用于数字字段", node)
        return Term(f"(0 if {term.code} is None else {self._close(term)})", Kind.NUMBER)

    def _form_raw(self, node: ast.Call, scope: Scope) -> Term:
        term = self._plain_field(node, scope)
        source, known = term.source, term.field
        if source is None or known is None:
            raise Refusal("raw 只能用于字段", node)
        return Term(self._form(source, known, "raw"), Kind.TEXT)

    def _form_text(self, node: ast.Call, scope: Scope) -> Term:
        return Term(self._text_of(self._plain_field(node, scope)), Kind.TEXT)

    def _form_label(self, node: ast.Call, scope: Scope) -> Term:
        term = self._plain_field(node, scope)
        return Term(repr(term.field.label if term.field else ""), Kind.TEXT)

    def _plain_field(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 1, 1)
        term = self._term(node.args[0], scope)
        if term.field is None:
            raise Refusal("这个函数的参数只能是字段", node)
        return term

    def _form_matches(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 2, 2)
        text = self._closed(node.args[0], scope, Kind.TEXT)
        pattern = self._literal(node.args[1], "正则")
        try:
            name = self.build.constant(("re", pattern), lambda: compile_pattern(pattern))
        except ValueError as error:
            raise Refusal(str(error), node.args[1]) from None
        return Term(f"{name}({text})", Kind.BOOL)

    def _form_in_set(self, node: ast.Call, scope: Scope) -> Term:
        text, local = self._code_and_set(node, scope)
        return Term(f"({text} in {local})", Kind.BOOL)

    def _form_set_label(self, node: ast.Call, scope: Scope) -> Term:
        text, local = self._code_and_set(node, scope)
        return Term(f"{local}.get({text}, '')", Kind.TEXT)

    def _code_and_set(self, node: ast.Call, scope: Scope) -> tuple[str, str]:
        self._arity(node, 2, 2)
        text = self._closed(node.args[0], scope, Kind.TEXT)
        name = self._literal(node.args[1], "码表名")
        if name not in self.world.codesets:
            raise Refusal(f"没有码表 {name}{nearest(name, self.world.codesets)}", node.args[1])
        self.needs[f"codeset:{name}"] = None
        return text, self._local(self.build.codeset(name))

    def _form_in_list(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 2, 2)
        text = self._closed(node.args[0], scope, Kind.TEXT)
        name = self._literal(node.args[1], "清单名")
        listed = self.world.lists.get(name)
        if listed is None:
            raise Refusal(f"没有代码清单 {name}{nearest(name, self.world.lists)}", node.args[1])
        checks = []
        if listed.codes:
            codes = listed.codes
            checks.append(f"{text} in {self.build.constant(('codes', name), lambda: codes)}")
        if listed.spans:
            checks.append(f"{self._spans(listed.spans, node)}({text})")
        return Term(f"({' or '.join(checks)})", Kind.BOOL)

    def _form_has_prefix(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 2, 200)
        text = self._closed(node.args[0], scope, Kind.TEXT)
        spans = tuple(self._literal(argument, "代码范围") for argument in node.args[1:])
        return Term(f"{self._spans(spans, node)}({text})", Kind.BOOL)

    def _spans(self, spans: tuple[str, ...], node: ast.AST) -> str:
        try:
            return self.build.constant(("spans", spans), lambda: compile_spans(spans))
        except ValueError as error:
            raise Refusal(str(error), node) from None
