"""The tabs of the queue, in order: what must be done first, then what can go and has gone."""

from __future__ import annotations

from dataclasses import dataclass

from dipgate.core.worklist import TO_DO, Grade


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab. `mark` is the class of the grade's sign; empty: no sign. `empty` says what next."""

    key: str
    label: str
    grades: tuple[Grade, ...]
    mark: str
    empty: str
    hint: str = ""
    """After the sum of money, on the tab that sums several grades."""
    counts_money: bool = True
    """False where there is none: cancelled lists bring nothing."""


TABS = (
    Tab("todo", "要处理", TO_DO, "", "要处理的都处理完了。", "元在等"),
    Tab("stop", Grade.STOP.word, (Grade.STOP,), "g-stop", "没有不能传的清单。"),
    Tab("look", Grade.LOOK.word, (Grade.LOOK,), "g-look", "没有要再看一眼的清单。"),
    Tab("wait", Grade.WAIT.word, (Grade.WAIT,), "g-wait", "没有在等别人的清单。"),
    Tab("clean", Grade.CLEAN.word, (Grade.CLEAN,), "g-done", "没有等着放行的清单。"),
    Tab("done", Grade.DONE.word, (Grade.DONE,), "", "还没有放行过清单。"),
    Tab("gone", Grade.GONE.word, (Grade.GONE,), "", "没有撤销的清单。", counts_money=False),
)
BY_KEY = {tab.key: tab for tab in TABS}
EDGES = {Grade.STOP: "stop", Grade.LOOK: "look", Grade.WAIT: "wait"}
"""Grade → the pattern of the row's edge; the others have none."""
SIGNS = {
    Grade.STOP: "g-stop",
    Grade.LOOK: "g-look",
    Grade.WAIT: "g-wait",
    Grade.CLEAN: "g-done",
    Grade.DONE: "",
    Grade.GONE: "",
}
