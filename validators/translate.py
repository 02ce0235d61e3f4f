"""Rule expressions → Python source, by a whitelist over the syntax tree, with types checked.

What is not named here does not compile; the author is told where and what instead.
"""

from __future__ import annotations

import ast

from dipgate.validators.calls import Calls
from dipgate.validators.language import Kind
from dipgate.validators.terms import Refusal, Scope, Term, parse


class Translator(Calls):
    """Translates the expressions of one row; adds the functions that walk rows."""

    def condition(self, text: str) -> str:
        """`when` or `must` → source of a truth value."""
        return self._truth(parse(text), self.root)

    def shown(self, text: str) -> str:
        """A message placeholder → source of its text; never gives up for a blank field."""
        return self._lazily(lambda tree: self._shown(tree), parse(text))

    def chosen(self, text: str) -> str:
        """The value of a fix → source of its text."""

        def value(tree: ast.expr) -> str:
            term = self._term(tree, self.root)
            return f"plain({self._close(term)})" if term.kind is not Kind.TEXT else term.code

        return self._lazily(value, parse(text))

    def fix(self, target: str, value: str, when: str) -> tuple[str, str]:
        """A fix → source of its condition (or empty text) and of its value."""
        if not target and not self.root.loop:
            raise Refusal("remove row 只能用于 for_each 为节点的规则")
        test = ""
        if when:
            test = self._lazily(lambda tree: self._truth(tree, self.root), parse(when))
        return test, self.chosen(value) if target else "''"

    def _lazily(self, translate: object, tree: ast.expr) -> str:
        self._lazy = True
        before = dict(self.needs)
        try:
            return str(translate(tree))  # type: ignore[operator]
        finally:
            self._lazy = False
            self.needs = before

    def _shown(self, tree: ast.expr) -> str:
        term = self._term(tree, self.root)
        if term.field is not None and term.kind is not Kind.TEXT:
            return f"show({self._text_of(term)})"
        return f"show({term.code})"

    # -- rows --------------------------------------------------------------------------------

    def _form_absent(self, node: ast.Call, scope: Scope) -> Term:  # noqa: ARG002
        self._arity(node, 1, 1)
        name = self._node_name(node.args[0])
        return Term(f"({self._local(self.build.node(name))} is None)", Kind.BOOL)

    def _form_count_of(self, node: ast.Call, scope: Scope) -> Term:  # noqa: ARG002
        self._arity(node, 1, 1)
        name = self._node_name(node.args[0])
        self.needs[name] = None
        return Term(f"len({self._local(self.build.node(name))})", Kind.NUMBER)

    def _form_count_rows(self, node: ast.Call, scope: Scope) -> Term:
        body = "    n = 0\n{loop}\n        if {truth}: n += 1\n    return n"
        return self._rows(node, scope, body, Kind.NUMBER)

    def _form_any_row(self, node: ast.Call, scope: Scope) -> Term:
        body = "{loop}\n        if {truth}: return True\n    return False"
        return self._rows(node, scope, body, Kind.BOOL)

    def _form_all_rows(self, node: ast.Call, scope: Scope) -> Term:
        body = "{loop}\n        if not {truth}: return False\n    return True"
        return self._rows(node, scope, body, Kind.BOOL)

    def _form_any_in(self, node: ast.Call, scope: Scope) -> Term:
        return self._form_any_row(self._as_prefix(node), scope)

    def _form_all_in(self, node: ast.Call, scope: Scope) -> Term:
        return self._form_all_rows(self._as_prefix(node), scope)

    def _as_prefix(self, node: ast.Call) -> ast.Call:
        self._arity(node, 3, 200)
        test = ast.Call(func=ast.Name("has_prefix"), args=node.args[1:], keywords=[])
        inner = ast.copy_location(test, node)
        ast.copy_location(inner.func, node)
        return ast.copy_location(
            ast.Call(func=node.func, args=[node.args[0], inner], keywords=[]), node
        )

    def _form_sum_of(self, node: ast.Call, scope: Scope) -> Term:
        body = "    n = 0\n{loop}\n        n += {number}\n    return n"
        return self._rows(node, scope, body, Kind.NUMBER)

    def _form_sum_by(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 4, 4)
        wanted = self._closed(node.args[3], scope, Kind.TEXT)
        body = (
            "    n = {{}}\n{loop}\n        k = {key}\n"
            "        n[k] = n.get(k, 0) + {number}\n    return n"
        )
        table = self._rows(node, scope, body, Kind.NUMBER)
        return Term(f"{table.code}.get({wanted}, 0)", Kind.NUMBER)

    def _form_unique(self, node: ast.Call, scope: Scope) -> Term:
        self._arity(node, 2, 9)
        body = (
            "    n = set()\n{loop}\n        k = ({keys},)\n        if k in n: return False\n"
            "        n.add(k)\n    return True"
        )
        return self._rows(node, scope, body, Kind.BOOL)

    def _form_repeats(self, node: ast.Call, scope: Scope) -> Term:
        if not scope.loop or scope.inner or self._lazy:
            raise Refusal("repeats 只能用于 for_each 的行，写在 when 或 must 里", node)
        self._arity(node, 1, 8)
        keys = ", ".join(self._term(argument, scope).code for argument in node.args)
        return Term(f"again({self.build.seen_set()}, ({keys},))", Kind.BOOL)

    def _rows(self, node: ast.Call, scope: Scope, body: str, kind: Kind) -> Term:
        """A call of a generated function that walks the rows of a node."""
        if scope.inner:
            raise Refusal("行函数里不能再写行函数", node)
        if len(node.args) < 2:
            raise Refusal("行函数要两个参数：节点，和对每行的条件或数字", node)
        name = self._node_name(node.args[0])
        if name == "charges" and scope.loop == "charges":
            raise Refusal("for_each=charges 的规则不能逐行再走一遍 charges", node)
        self.needs[name] = None
        inner = Scope(scope.loop, name)
        outer_captures, outer_bound = self._captures, self._bound_to_row
        self._captures, self._bound_to_row = {}, False
        try:
            parts = {"loop": "    for j, v in enumerate(V):"}
            if "{truth}" in body:
                self._arity(node, 2, 2)
                parts["truth"] = self._truth(node.args[1], inner)
            if "{key}" in body:
                parts["key"] = self._closed(node.args[1], inner, Kind.TEXT)
            if "{keys}" in body:
                keys = [self._term(argument, inner).code for argument in node.args[1:]]
                parts["keys"] = ", ".join(keys)
            if "{number}" in body:
                at = 2 if "{key}" in body else 1
                self._arity(node, at + 1, at + 3)
                parts["number"] = self._closed(node.args[at], inner, Kind.NUMBER)
            captures, row_bound = self._captures, self._bound_to_row
        finally:
            self._captures, self._bound_to_row = outer_captures, outer_bound
        arguments = ", ".join(captures)
        function = self.build.function(f"(V, {arguments}):\n{body.format(**parts)}")
        call = f"{function}({self.build.values(name)}, {arguments})"
        if row_bound:
            if self._lazy:
                raise Refusal("说明和修正里的行函数不能用 this", node)
            return Term(call, kind)
        return Term(self.build.memo(call), kind)
