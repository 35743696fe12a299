"""What a person has chosen to see, and what each key makes of it. Pure: a key, a state and a scene give the next state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from monitoring.display.drawing.theme import ThemeName
from monitoring.display.view_model.incidents import Incident
from monitoring.display.view_model.values import SiteKey
from monitoring.display.view_model.viewing import WINDOWS_MS, Choice, earlier_ms, later_ms, next_window, place_of
from monitoring.viewer.prompt import Asking, Prompt, time_of


class Place(StrEnum):
    """What the screen shows."""

    SITES = "sites"
    SITE = "site"
    INCIDENTS = "incidents"
    EXPLANATION = "explanation"
    HELP = "help"


LISTS = (Place.SITES, Place.INCIDENTS)
"""Where a cursor goes from line to line; elsewhere the text scrolls."""

OF_ONE_SITE = (Place.SITE, Place.EXPLANATION)


@dataclass(frozen=True, slots=True)
class State:
    """`places` are where one came from, the last one is shown. `at_ms`: the moment in the past that is shown; None: now.

    `cursor` stays with its site when the order changes; None: on the first one. `site` is the one of the site's screen,
    `explain_ms` the moment at which it is explained (None: the one that is shown). `line` is the cursor's line among the
    incidents, `scroll` the first line that is shown of a text. `message` stands in the last line until the next key.
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
    """What keys act on: the sites that are listed, the newest incident of each line, and how much is on the screen.

    `page` is how many lines of the list or text there is room for, `length` how many there are of a text. `clock_ms` is the
    moment by the store's clock.
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
    """The state after this key, by the name that textual has for it; the same one where the key means nothing.

    `character` is what it types.
    """
    if state.prompt:
        return _typed(state, state.prompt, key, scene, character)
    step = KEYS.get(key)
    return state if step is None else step(replace(state, message=""), scene)


def _typed(state: State, prompt: Prompt, key: str, scene: Scene, character: str | None) -> State:
    """The state after a key while something is typed. A filter is applied as it is typed, a time when it is complete."""
    if key == "escape":
        return replace(_filtered(state, prompt.before) if prompt.asking is Asking.FILTER else state, prompt=None)
    if key == "enter":
        done = replace(state, prompt=None)
        return _gone(done, prompt.text, scene) if prompt.asking is Asking.TIME else done
    return _with_prompt(state, prompt.typed(key, character))


def pasted(state: State, text: str) -> State:
    """The state after a text was pasted: without a prompt it means nothing, whatever keys it holds."""
    return state if state.prompt is None else _with_prompt(state, state.prompt.pasted(text))


def _with_prompt(state: State, prompt: Prompt) -> State:
    known = replace(state, prompt=prompt)
    return _filtered(known, prompt.text) if prompt.asking is Asking.FILTER else known


def _filtered(state: State, wanted: str) -> State:
    return chosen(state, wanted=wanted)


def _gone(state: State, text: str, scene: Scene) -> State:
    """At the time that was typed, or with what is wrong with it."""
    if not text.strip():
        return state
    try:
        return replace(state, at_ms=time_of(text, scene.clock_ms))
    except ValueError as error:
        return replace(state, message=f"time: {error}")


def asked(state: State, scene: Scene, line: int, *, is_again: bool) -> State:
    """The state after a click on a line of a list; on the line of the cursor it opens the site."""
    return opened(state, scene) if is_again else moved_to(replace(state, message=""), scene, line)


def moved_by(state: State, scene: Scene, lines: int) -> State:
    """The state after the wheel was turned by so many lines."""
    return moved(lambda _: lines)(state, scene)


def cursor_line(state: State, scene: Scene) -> int:
    """The line of the cursor in the list that is shown."""
    if state.place is Place.INCIDENTS:
        return max(0, min(state.line, len(scene.incidents) - 1))
    return place_of(state.cursor, scene.keys)


def moved_to(state: State, scene: Scene, line: int) -> State:
    """With the cursor on this line, or on the nearest one that there is."""
    if state.place is Place.INCIDENTS:
        return replace(state, line=max(0, min(line, len(scene.incidents) - 1)))
    if not scene.keys:
        return state
    return replace(state, cursor=scene.keys[max(0, min(line, len(scene.keys) - 1))])


def moved(lines: Callable[[Scene], int]) -> Step:
    """Moves the cursor, or the text, by so many lines."""

    def move(state: State, scene: Scene) -> State:
        if state.place in LISTS:
            return moved_to(state, scene, cursor_line(state, scene) + lines(scene))
        most = max(0, scene.length - scene.page)
        return replace(state, scroll=max(0, min(state.scroll + lines(scene), most)))

    return move


def entered(state: State, place: Place) -> State:
    """In another place; coming from a place again leads back to it."""
    if place in state.places:
        return replace(state, places=state.places[: state.places.index(place) + 1], scroll=0)
    return replace(state, places=(*state.places, place), scroll=0)


def left(state: State, _: Scene) -> State:
    """Back where one came from; from the list of sites, without a filter, then in the present."""
    if len(state.places) > 1:
        return replace(state, places=state.places[:-1], scroll=0, explain_ms=None)
    if state.choice.wanted or state.choice.only_faults:
        return chosen(state, wanted="", only_faults=False)
    return replace(state, at_ms=None)


def chosen(state: State, **changes: object) -> State:
    """With something else chosen."""
    return replace(state, choice=replace(state.choice, **changes))  # type: ignore[arg-type]


def opened(state: State, scene: Scene) -> State:
    """On the screen of the site under the cursor."""
    key = site_under_cursor(state, scene)
    if state.place not in LISTS or key is None:
        return state
    return entered(replace(state, site=key, explain_ms=None), Place.SITE)


def explained(state: State, scene: Scene) -> State:
    """With the explanation of the site under the cursor: of an incident, as it was when its alert was raised."""
    if state.place is Place.EXPLANATION:
        return left(state, scene)
    key = site_under_cursor(state, scene)
    if key is None or state.place is Place.HELP:
        return state
    moment_ms = None
    if state.place is Place.INCIDENTS:
        alert = scene.incidents[cursor_line(state, scene)].alert
        moment_ms = alert.time_ms + 1 if alert else None
    return entered(replace(state, site=key, explain_ms=moment_ms), Place.EXPLANATION)


def site_under_cursor(state: State, scene: Scene) -> SiteKey | None:
    """The site that a key acts on; None: there is none."""
    if state.place in OF_ONE_SITE:
        return state.site
    line = cursor_line(state, scene)
    if state.place is Place.INCIDENTS:
        return scene.incidents[line].key if scene.incidents else None
    return scene.keys[line] if scene.keys else None


def toggled(place: Place) -> Step:
    """Into a place, or back out of it."""
    return lambda state, scene: left(state, scene) if state.place is place else entered(state, place)


def windowed(number: int) -> Step:
    """With the window of this number, if there is one."""

    def choose(state: State, scene: Scene) -> State:
        return chosen(state, window_ms=scene.windows_ms[number]) if number < len(scene.windows_ms) else state

    return choose


def with_next_window(state: State, scene: Scene) -> State:
    """With the next longer window, after the longest the shortest."""
    return chosen(state, window_ms=next_window(scene.windows_ms, state.choice.window_ms))


def next_location(state: State, scene: Scene) -> State:
    """With the next location alone, after the last one with all."""
    places = [None, *scene.locations]
    if len(scene.locations) < 2:
        return replace(state, message="there is only one location")
    number = places.index(state.choice.location) if state.choice.location in places else 0
    return chosen(state, location=places[(number + 1) % len(places)])


def asking(what: Asking) -> Step:
    """With a prompt."""

    def ask(state: State, _: Scene) -> State:
        text = state.choice.wanted if what is Asking.FILTER else ""
        shown = replace(state, places=(Place.SITES,)) if what is Asking.FILTER else state
        return replace(shown, prompt=Prompt(what, text, text))

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
    "escape": left,
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
    "slash": asking(Asking.FILTER),
    "t": asking(Asking.TIME),
}
"""What the keys do that change nothing but the state. The others (copy, save, quit) are the application's."""
