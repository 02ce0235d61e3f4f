"""Operators, constants and comparisons, with their types checked."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from decimal import Decimal

from dipgate.core.lists import ROW_NODES
from dipgate.validators import language
from dipgate.validators.language import Kind
from dipgate.validators.names import Names
from dipgate.validators.terms import Refusal, Scope, Term, nearest

_OPERATORS: Mapping[type[ast.AST], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
}
CLASSES = {Kind.NUMBER: "Decimal", Kind.TIME: "datetime"}


class Expressions(Names):
    """Translates every kind of expression but calls."""

    def _call(self, node: ast.Call, scope: Scope) -> Term:
        raise NotImplementedError

    def _term(self, node: ast.expr, scope: Scope) -> Term:
        match node:
            case ast.BoolOp():
                word = " and " if isinstance(node.op, ast.And) else " or "
                parts = word.join(self._truth(value, scope) for value in node.values)
                return Term(f"({parts})", Kind.BOOL)
            case ast.UnaryOp(op=ast.Not()):
                return Term(f"(not {self._truth(node.operand, scope)})", Kind.BOOL)
            case ast.UnaryOp(op=ast.USub()):
                return Term(f"(-{self._closed(node.operand, scope, Kind.NUMBER)})", Kind.NUMBER)
            case ast.BinOp():
                return self._arithmetic(node, scope)
            case ast.Compare():
                return self._comparison(node, scope)
            case ast.IfExp():
                return self._choice(node, scope)
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node, scope)
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.Call():
                return self._call(node, scope)
            case ast.Tuple() | ast.List() | ast.Set():
                raise Refusal("一组常量只能写在 in 或 not in 的右边", node)
        raise Refusal(f"不支持的写法（{type(node).__name__}）；只能用字段、常量和规则函数", node)

    def _truth(self, node: ast.expr, scope: Scope) -> str:
        term = self._term(node, scope)
        if term.kind is not Kind.BOOL:
            raise Refusal(f"这里要一个条件，得到的是{term.kind.value}；写 given(…) 或比较式", node)
        return term.code

    def _closed(self, node: ast.expr, scope: Scope, kind: Kind) -> str:
        """Source of a value of one kind that is certainly there."""
        term = self._term(node, scope)
        if kind is Kind.TEXT and term.field is not None:
            return self._text_of(term)
        if term.kind is not kind:
            raise Refusal(f"这里要{kind.value}，得到的是{term.kind.value}", node)
        return self._close(term)

    def _close(self, term: Term) -> str:
        if not term.loose:
            return term.code
        if term.field is None:
            return f"({term.code} if {term.code} is not None else unknown({term.label!r}))"
        if self._lazy and self._captures is None:
            word = "closed_number" if term.kind is Kind.NUMBER else "closed_time"
            return f"{word}({term.code}, {term.label!r})"
        return (
            f"({term.code} if {term.code}.__class__ is {CLASSES[term.kind]}"
            f" else lack({term.label!r}, {term.code}))"
        )

    def _arithmetic(self, node: ast.BinOp, scope: Scope) -> Term:
        word = _OPERATORS.get(type(node.op))
        if word is None:
            raise Refusal("算术只有 + - *", node)
        left, right = self._term(node.left, scope), self._term(node.right, scope)
        if word == "+" and left.kind is right.kind is Kind.TEXT:
            return Term(f"({left.code} + {right.code})", Kind.TEXT)
        for side, term in ((node.left, left), (node.right, right)):
            if term.kind is not Kind.NUMBER:
                raise Refusal(f"算术要数字，得到的是{term.kind.value}", side)
        return Term(f"({self._close(left)} {word} {self._close(right)})", Kind.NUMBER)

    def _comparison(self, node: ast.Compare, scope: Scope) -> Term:
        if isinstance(node.ops[0], (ast.In, ast.NotIn)):
            return self._membership(node, scope)
        terms = [self._term(side, scope) for side in (node.left, *node.comparators)]
        kind = terms[0].kind
        pieces = [self._close(terms[0])]
        for operator, term, side in zip(node.ops, terms[1:], node.comparators, strict=True):
            word = _OPERATORS.get(type(operator))
            if word is None:
                raise Refusal("比较只有 == != < <= > >= 和 in", node)
            if term.kind is not kind:
                raise Refusal(f"不能拿{kind.value}和{term.kind.value}比较", side)
            if kind is Kind.BOOL or (kind is Kind.TEXT and word not in ("==", "!=")):
                raise Refusal(f"{kind.value}不能用 {word} 比较", side)
            pieces += [word, self._close(term)]
        return Term(f"({' '.join(pieces)})", Kind.BOOL)

    def _membership(self, node: ast.Compare, scope: Scope) -> Term:
        right = node.comparators[0]
        if len(node.ops) > 1 or not isinstance(right, (ast.Tuple, ast.List, ast.Set)):
            raise Refusal('in 的右边写一组常量，如 ("1", "2")；码表用 in_set(…)', right)
        left = self._term(node.left, scope)
        members = []
        for item in right.elts:
            value = self._constant(item) if isinstance(item, ast.Constant) else None
            if value is None or value.kind is not left.kind or left.kind is Kind.BOOL:
                raise Refusal(f"in 的右边要一组{left.kind.value}常量", item)
            members.append(item.value)  # type: ignore[attr-defined]
        if not members:
            raise Refusal("in 的右边是空的", right)
        if left.kind is Kind.TIME:
            raise Refusal("时间不能用 in", node)
        plain = [m if isinstance(m, str) else Decimal(repr(m)) for m in members]
        values = frozenset(plain)
        name = self.build.constant(("set", values), lambda: values)
        word = "not in" if isinstance(node.ops[0], ast.NotIn) else "in"
        return Term(f"({self._close(left)} {word} {name})", Kind.BOOL)

    def _choice(self, node: ast.IfExp, scope: Scope) -> Term:
        test = self._truth(node.test, scope)
        one, other = self._term(node.body, scope), self._term(node.orelse, scope)
        if one.kind is not other.kind:
            raise Refusal("if 两边的类型不一样", node)
        return Term(f"({self._close(one)} if {test} else {self._close(other)})", one.kind)

    def _constant(self, node: ast.Constant) -> Term:
        value = node.value
        if isinstance(value, bool):
            return Term(repr(value), Kind.BOOL)
        if isinstance(value, str):
            if len(value) > language.MAX_TEXT:
                raise Refusal(f"文本常量超过 {language.MAX_TEXT} 个字符", node)
            return Term(repr(value), Kind.TEXT)
        if isinstance(value, (int, float)):
            digits = repr(value)
            if len(digits) > language.MAX_DIGITS or not digits.replace(".", "", 1).isdigit():
                raise Refusal(f"数字常量只能是 {language.MAX_DIGITS} 位以内的普通小数", node)
            if digits.isdigit():
                return Term(digits, Kind.NUMBER)
            number = Decimal(digits)
            return Term(self.build.constant(("number", digits), lambda: number), Kind.NUMBER)
        raise Refusal(f"不支持的常量 {type(value).__name__}", node)

    def _node_name(self, node: ast.expr) -> str:
        name = node.id if isinstance(node, ast.Name) else ""
        if name not in ROW_NODES:
            raise Refusal(f"第一个参数要写节点名{nearest(name, ROW_NODES)}", node)
        return name

    def _literal(self, node: ast.expr, what: str) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if len(node.value) > language.MAX_TEXT:
                raise Refusal(f"{what}超过 {language.MAX_TEXT} 个字符", node)
            return node.value
        raise Refusal(f"{what}要写成带引号的常量", node)

    def _arity(self, node: ast.Call, least: int, most: int) -> None:
        count = len(node.args)
        if not least <= count <= most:
            word = node.func.id if isinstance(node.func, ast.Name) else "函数"
            wanted = str(least) if least == most else f"{least}–{most}"
            raise Refusal(f"{word} 要 {wanted} 个参数，写了 {count} 个", node)
