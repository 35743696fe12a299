"""What a person has chosen to see, and the effect of each key. Pure: the next state follows from key, state and scene."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from monitoring.display.drawing.theme import ThemeName
from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.values import SiteKey
from monitoring.display.view_model.viewing import WINDOWS_MS, Choice, earlier_ms, later_ms, next_window, place_of
from monitoring.viewer.prompt import Prompt, PromptKind, time_of


class Place(StrEnum):
    """What the screen shows."""

    SITES = "sites"
    SITE = "site"
    INCIDENTS = "incidents"
    EXPLANATION = "explanation"
    HELP = "help"


LISTS = (Place.SITES, Place.INCIDENTS)
"""Places with a cursor; in the others the text scrolls."""

OF_ONE_SITE = (Place.SITE, Place.EXPLANATION)


@dataclass(frozen=True, slots=True)
class State:
    """The state of the viewer. `places` is the path to the shown place, which is last. `at_ms` None: the present is shown.

    `cursor` is a site, so that it stays there if the order changes (None: the first site). `site` is the site of a screen
    about one site, `explain_ms` the moment to explain (None: the shown one). `line` is the cursor among the incidents,
    `scroll` the first visible line of a text. The last line shows `message` until the next key.
    """

    places: tuple[Place, ...] = (Place.SITES,)
    choice: Choice = field(default_factory=Choice)
    at_ms: int | None = None
    cursor: SiteKey | None = None
    site: SiteKey | None = None
    explain_ms: int | None = None
    line: int = 0
    scroll: int = 0
    is_paused: bool = False
    theme: ThemeName = ThemeName.AUTO
    prompt: Prompt | None = None
    message: str = ""

    @property
    def place(self) -> Place:
        return self.places[-1]


@dataclass(frozen=True, slots=True)
class Scene:
    """What keys act on: the listed sites, the newest incident of each line, and the size of the screen.

    `page` is the number of lines for the list or text, `length` that of all lines of the text. `clock_ms` is now by the
    store's clock.
    """

    keys: Sequence[SiteKey] = ()
    incidents: Sequence[Incident] = ()
    locations: Sequence[str] = ()
    windows_ms: Sequence[int] = tuple(WINDOWS_MS.values())
    clock_ms: int = 0
    page: int = 1
    length: int = 0


Step = Callable[[State, Scene], State]


def pressed(state: State, key: str, scene: Scene, character: str | None = None) -> State:
    """The state after this key, which has textual's name. A key without a meaning changes nothing.

    `character` is what the key types.
    """
    if state.prompt:
        return _typed(state, state.prompt, key, scene, character)
    step = KEYS.get(key)
    return state if step is None else step(replace(state, message=""), scene)


def _typed(state: State, prompt: Prompt, key: str, scene: Scene, character: str | None) -> State:
    """The state after a key in a prompt. A filter takes effect while it is typed, a time at enter."""
    if key == "escape":
        return replace(chosen(state, wanted=prompt.before) if prompt.kind is PromptKind.FILTER else state, prompt=None)
    if key == "enter":
        done = replace(state, prompt=None)
        return _at_typed_time(done, prompt.text, scene) if prompt.kind is PromptKind.TIME else done
    return _with_prompt(state, prompt.typed(key, character))


def pasted(state: State, text: str) -> State:
    """The state after a paste. Without a prompt it is ignored, whatever keys it contains."""
    return state if state.prompt is None else _with_prompt(state, state.prompt.pasted(text))


def _with_prompt(state: State, prompt: Prompt) -> State:
    known = replace(state, prompt=prompt)
    return chosen(known, wanted=prompt.text) if prompt.kind is PromptKind.FILTER else known


def _at_typed_time(state: State, text: str, scene: Scene) -> State:
    """The state at the typed time, or with a message on what is wrong with it."""
    if not text.strip():
        return state
    try:
        return replace(state, at_ms=time_of(text, scene.clock_ms))
    except ValueError as error:
        return replace(state, message=f"time: {error}")


def clicked(state: State, scene: Scene, line: int, *, is_again: bool) -> State:
    """The state after a click on a line of a list. A click on the cursor's line opens the site."""
    return opened(state, scene) if is_again else moved_to(replace(state, message=""), scene, line)


def moved_by(state: State, scene: Scene, lines: int) -> State:
    """The state after the wheel has been turned by this many lines."""
    return moved(lambda _: lines)(state, scene)


def cursor_line(state: State, scene: Scene) -> int:
    """The line of the cursor in the shown list."""
    if state.place is Place.INCIDENTS:
        return max(0, min(state.line, len(scene.incidents) - 1))
    return place_of(state.cursor, scene.keys)


def moved_to(state: State, scene: Scene, line: int) -> State:
    """The state with the cursor on this line, or on the nearest one."""
    if state.place is Place.INCIDENTS:
        return replace(state, line=max(0, min(line, len(scene.incidents) - 1)))
    if not scene.keys:
        return state
    return replace(state, cursor=scene.keys[max(0, min(line, len(scene.keys) - 1))])


def moved(lines: Callable[[Scene], int]) -> Step:
    """A step that moves the cursor or the text by this many lines."""

    def move(state: State, scene: Scene) -> State:
        if state.place in LISTS:
            return moved_to(state, scene, cursor_line(state, scene) + lines(scene))
        most = max(0, scene.length - scene.page)
        return replace(state, scroll=max(0, min(state.scroll + lines(scene), most)))

    return move


def entered(state: State, place: Place) -> State:
    """The state in another place. A place that is already in the path is returned to."""
    if place in state.places:
        return replace(state, places=state.places[: state.places.index(place) + 1], scroll=0)
    return replace(state, places=(*state.places, place), scroll=0)


def went_back(state: State, _: Scene) -> State:
    """The state one place back. In the list of sites, first the filter is removed, then the present is shown."""
    if len(state.places) > 1:
        return replace(state, places=state.places[:-1], scroll=0, explain_ms=None)
    if state.choice.wanted or state.choice.only_faults:
        return chosen(state, wanted="", only_faults=False)
    return replace(state, at_ms=None)


def chosen(state: State, **changes: object) -> State:
    """The state with a changed choice."""
    return replace(state, choice=replace(state.choice, **changes))  # type: ignore[arg-type]


def opened(state: State, scene: Scene) -> State:
    """The state on the screen of the site under the cursor."""
    key = site_under_cursor(state, scene)
    if state.place not in LISTS or key is None:
        return state
    return entered(replace(state, site=key, explain_ms=None), Place.SITE)


def explained(state: State, scene: Scene) -> State:
    """The state with the explanation of the site under the cursor. An incident is explained at its alert."""
    if state.place is Place.EXPLANATION:
        return went_back(state, scene)
    key = site_under_cursor(state, scene)
    if key is None or state.place is Place.HELP:
        return state
    moment_ms = None
    if state.place is Place.INCIDENTS:
        alert = scene.incidents[cursor_line(state, scene)].alert
        moment_ms = alert.time_ms + 1 if alert else None
    return entered(replace(state, site=key, explain_ms=moment_ms), Place.EXPLANATION)


def site_under_cursor(state: State, scene: Scene) -> SiteKey | None:
    """The site that keys act on; None: there is none."""
    if state.place in OF_ONE_SITE:
        return state.site
    line = cursor_line(state, scene)
    if state.place is Place.INCIDENTS:
        return scene.incidents[line].key if scene.incidents else None
    return scene.keys[line] if scene.keys else None


def toggled(place: Place) -> Step:
    """A step that enters a place, or goes back from it."""
    return lambda state, scene: went_back(state, scene) if state.place is place else entered(state, place)


def windowed(number: int) -> Step:
    """A step that chooses the window of this number, if there is one."""

    def choose(state: State, scene: Scene) -> State:
        return chosen(state, window_ms=scene.windows_ms[number]) if number < len(scene.windows_ms) else state

    return choose


def with_next_window(state: State, scene: Scene) -> State:
    """The state with the next longer window; after the longest comes the shortest."""
    return chosen(state, window_ms=next_window(scene.windows_ms, state.choice.window_ms))


def next_location(state: State, scene: Scene) -> State:
    """The state with only the next location; after the last one, with all."""
    places = [None, *scene.locations]
    if len(scene.locations) < 2:
        return replace(state, message="there is only one location")
    number = places.index(state.choice.location) if state.choice.location in places else 0
    return chosen(state, location=places[(number + 1) % len(places)])


def prompting(kind: PromptKind) -> Step:
    """A step that opens a prompt."""

    def ask(state: State, _: Scene) -> State:
        text = state.choice.wanted if kind is PromptKind.FILTER else ""
        shown = replace(state, places=(Place.SITES,)) if kind is PromptKind.FILTER else state
        return replace(shown, prompt=Prompt(kind, text, text))

    return ask


def _earlier(state: State, scene: Scene) -> State:
    return replace(state, at_ms=earlier_ms(state.at_ms, state.choice.window_ms, scene.clock_ms))


def _later(state: State, scene: Scene) -> State:
    return replace(state, at_ms=later_ms(state.at_ms, state.choice.window_ms, scene.clock_ms))


KEYS: Mapping[str, Step] = {
    **dict.fromkeys(("up", "k"), moved(lambda _: -1)),
    **dict.fromkeys(("down", "j"), moved(lambda _: 1)),
    "pageup": moved(lambda scene: -max(1, scene.page - 1)),
    "pagedown": moved(lambda scene: max(1, scene.page - 1)),
    **dict.fromkeys(("g", "home"), moved(lambda scene: -max(scene.length, len(scene.keys), len(scene.incidents)))),
    "G": moved(lambda scene: max(scene.length, len(scene.keys), len(scene.incidents))),
    "enter": opened,
    "escape": went_back,
    "exclamation_mark": lambda state, _: chosen(state, only_faults=not state.choice.only_faults),
    "s": lambda state, _: chosen(state, order=state.choice.order.next),
    "r": lambda state, _: chosen(state, is_reversed=not state.choice.is_reversed),
    "w": with_next_window,
    **{str(number + 1): windowed(number) for number in range(len(WINDOWS_MS))},
    "left": _earlier,
    "right": _later,
    "end": lambda state, _: replace(state, at_ms=None, is_paused=False),
    "p": lambda state, _: replace(state, is_paused=not state.is_paused),
    "e": explained,
    "a": toggled(Place.INCIDENTS),
    "l": next_location,
    "T": lambda state, _: replace(state, theme=state.theme.next, message=f"theme: {state.theme.next}"),
    "question_mark": toggled(Place.HELP),
    "slash": prompting(PromptKind.FILTER),
    "t": prompting(PromptKind.TIME),
}
"""The keys that only change the state. The application handles the others (copy, save, quit)."""
