"""What names mean: fields of nodes, computed names, and the short words that stand for more."""

from __future__ import annotations

import ast

from dipgate.core.lists import ROW_NODES
from dipgate.core.rules import ListField, RuleWorld
from dipgate.validators.building import LAZY, Build
from dipgate.validators.language import COMPUTED, MACROS, ROW_COMPUTED, Kind
from dipgate.validators.terms import Refusal, Scope, Source, Term, nearest, parse

KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "time": Kind.TIME}


class Names:
    """State of the translation of one row, and its names. `needs` gathers what it must have."""

    def __init__(self, build: Build, world: RuleWorld, for_each: str, each: str = "") -> None:
        self.build = build
        self.world = world
        self.root = Scope("" if for_each == "case" else for_each)
        self.each = each
        self.needs: dict[str, None] = {}
        self._lazy = False
        self._captures: dict[str, None] | None = None
        self._bound_to_row = False
        self._macro_depth = 0

    def _term(self, node: ast.expr, scope: Scope) -> Term:
        raise NotImplementedError

    def known_field(self, word: str) -> ListField:
        """A word of the `fields` column: a field, a node with a field, or a node by its name."""
        owner, _, name = word.partition(".")
        if word in ROW_NODES:
            return ListField(word, "", word, "text")
        if name and owner in ROW_NODES:
            home = owner
        elif name:
            home = {"setl": "setlinfo", "setlinfo": "setlinfo", "cover": "cover"}.get(owner, "")
        else:
            home, name = self.root.loop or "setlinfo", owner
        fields = self.world.fields.get(home, {})
        if name not in fields:
            raise Refusal(f"没有字段 {word}{nearest(name, fields)}")
        return fields[name]

    def _name(self, node: ast.Name, scope: Scope) -> Term:
        word = node.id
        if word == "each":
            if not self.each or scope.inner:
                raise Refusal("each 只能写在规则本身的条件里，代表 fields 列的每个字段", node)
            return self._field_of(self.each, self.root, node)
        home = scope.rows.node
        if word in MACROS.get(home, {}):
            return self._macro(MACROS[home][word], scope, node)
        if scope.rows.how != "single" and word in ROW_COMPUTED:
            return self._row_computed(word, scope, node)
        if word in COMPUTED:
            kind, label = COMPUTED[word]
            code = self._local(self.build.compute(word))
            return Term(code, kind, loose=kind is Kind.NUMBER, label=label)
        return self._field_of(word, scope, node)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Term:
        if not isinstance(node.value, ast.Name):
            raise Refusal("点号只能写成 setl.字段、this.字段、principal.字段 或 cover.字段", node)
        owner, name = node.value.id, node.attr
        if owner in ("setl", "setlinfo"):
            macro = MACROS["setlinfo"].get(name)
            if macro is not None:
                return self._macro(macro, Scope(""), node)
            return self._field(Source("setlinfo", "single"), name, node)
        if owner == "cover":
            self.needs["cover"] = None
            self.build.node("cover")
            return self._field(Source("cover", "single"), name, node)
        if owner == "principal":
            self.needs["diseinfo"] = None
            return self._field(Source("diseinfo", "principal"), name, node)
        if owner == "this":
            if not (scope.inner and scope.loop):
                raise Refusal("this 只在 for_each 规则的行函数里有意义，指外面那一行", node)
            if name in MACROS.get(scope.loop, {}):
                return self._macro(MACROS[scope.loop][name], Scope(scope.loop), node)
            if name == "position":
                self._bound_to_row = True
                return Term(f"({self._local('i')} + 1)", Kind.NUMBER)
            return self._field(Source(scope.loop, "loop"), name, node)
        raise Refusal(f"不认识 {owner}；点号前只能是 setl、this、principal、cover", node)

    def _macro(self, text: str, scope: Scope, node: ast.AST) -> Term:
        self._macro_depth += 1
        if self._macro_depth > 3:
            raise Refusal("缩写套得太深", node)
        try:
            return self._term(parse(text), scope)
        finally:
            self._macro_depth -= 1

    def _row_computed(self, word: str, scope: Scope, node: ast.AST) -> Term:
        kind, _label = ROW_COMPUTED[word]
        if scope.inner and word in ("empty_row", "repeated_row"):
            raise Refusal(f"{word} 只能用于 for_each 的行，不能写在行函数里", node)
        index = "j" if scope.inner else "i"
        if word == "position":
            self._bound_to_row = self._bound_to_row or not scope.inner
            return Term(f"({index} + 1)", kind)
        if word == "is_principal":
            if scope.rows.node != "diseinfo":
                raise Refusal("is_principal 只用于 diseinfo", node)
            self.build.needs_principal = True
            return Term(f"({index} == {self._local('principal_at')})", kind)
        rows = self.build.node(scope.loop)
        if word == "empty_row":
            return Term(f"is_empty({rows}[i])", kind)
        return Term(f"same_as_earlier({rows}, i)", kind)

    def _field_of(self, word: str, scope: Scope, node: ast.AST) -> Term:
        """A field as the `fields` column names it: bare, or `setl.…`, `cover.…`."""
        if word in ROW_NODES:
            raise Refusal(f"节点 {word} 不能单独使用；写 count_of({word}) 之类", node)
        owner, _, name = word.rpartition(".")
        if owner in ("setl", "setlinfo"):
            return self._field(Source("setlinfo", "single"), name, node)
        if owner == "cover":
            self.needs["cover"] = None
            return self._field(Source("cover", "single"), name, node)
        return self._field(scope.rows, name, node)

    def _field(self, source: Source, name: str, node: ast.AST) -> Term:
        fields = self.world.fields.get(source.node, {})
        known = fields.get(name)
        if known is None:
            words = [*fields, *COMPUTED, *MACROS.get(source.node, {})]
            if source.how in ("loop", "inner"):
                words += ROW_COMPUTED
            raise Refusal(f"{source.node} 没有字段 {name}{nearest(name, words)}", node)
        kind = KINDS[known.kind]
        code = self._form(source, known, known.kind)
        label = f"{known.label}（{source.node}.{name}）"
        return Term(code, kind, loose=kind is not Kind.TEXT, label=label, field=known,
                    source=source)  # fmt: skip

    def _form(self, source: Source, known: ListField, form: str) -> str:
        """Source of a field in one form (text, number, time, raw)."""
        build, name = self.build, known.name
        if source.how == "inner":
            return f"v[{build.slot(source.node, name, form)}]"
        if source.how == "principal":
            return self._local(build.of_principal(name, form))
        if self._lazy and self._captures is None:
            row = f"{build.node(source.node)}[i]" if source.how == "loop" else source.node
            return LAZY[form].format(get=f"{row}.get({name!r})")
        if source.how == "loop":
            self._bound_to_row = True
            return self._local(build.row_local(source.node, name, form))
        return self._local(build.single(source.node, name, form))

    def _text_of(self, term: Term) -> str:
        if term.field is None or term.source is None:
            return term.code
        return self._form(term.source, term.field, "text")

    def _local(self, name: str) -> str:
        """A local of the generated function; a helper's body gets it as an argument."""
        if self._captures is not None:
            self._captures[name] = None
        return name
