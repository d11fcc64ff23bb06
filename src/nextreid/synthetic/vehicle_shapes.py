"""The measures of each body type, and how one vehicle's own proportions change them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nextreid.synthetic.vehicle_shell import Outline, Ring, Shell


@dataclass(frozen=True)
class BodyShape:
    """Measures of a body in metres; x = 0 is the middle, z = 0 the ground.

    Args:
        front, rear: x of the bumpers.
        half_width: half the width without mirrors.
        ground: height of the tub's lower edge.
        nose, cowl, belt, tail: heights of the tub's rim at the front, at the windscreen, under the side
            windows and at the rear.
        windscreen: x of the windscreen's foot and of its head.
        rear_window: x of the rear window's head and of its foot.
        roof: height of the roof.
        tumblehome: how far each side leans in at the roof.
        wheel: radius of the tyres; `axles` their x.
        panes: (from, to) of the side windows as shares of the cabin's side, front to rear; the first
            pane is the front door's.
        doors: (from, to) of the doors in x.
        corner: radius of the tub's corners.
        tub_rear: x of the tub's end where it is not `rear` (trucks).
        bed: x range of an open bed; `box` that of a closed cargo box, with its height.
        cladding: dark plastic round the lower edge.
    """

    front: float
    rear: float
    half_width: float
    ground: float
    nose: float
    cowl: float
    belt: float
    tail: float
    windscreen: tuple[float, float]
    rear_window: tuple[float, float]
    roof: float
    tumblehome: float
    wheel: float
    axles: tuple[float, ...]
    panes: tuple[tuple[float, float], ...]
    doors: tuple[tuple[float, float], ...]
    corner: float = 0.34
    tub_rear: float | None = None
    bed: tuple[float, float] | None = None
    box: tuple[float, float, float] | None = None
    cladding: bool = False

    def scaled(self, length: float, width: float, height: float) -> "BodyShape":
        """Return the shape with its proportions changed; wheels stay round and on the ground."""
        rise = height - 1.0
        return replace(
            self,
            front=self.front * length,
            rear=self.rear * length,
            half_width=self.half_width * width,
            nose=self.nose * (1 + rise / 2),
            cowl=self.cowl * (1 + rise / 2),
            belt=self.belt * (1 + rise / 2),
            tail=self.tail * (1 + rise / 2),
            roof=self.roof * height,
            windscreen=(self.windscreen[0] * length, self.windscreen[1] * length),
            rear_window=(self.rear_window[0] * length, self.rear_window[1] * length),
            axles=tuple(x * length for x in self.axles),
            doors=tuple((a * length, b * length) for a, b in self.doors),
            tub_rear=None if self.tub_rear is None else self.tub_rear * length,
            bed=None if self.bed is None else (self.bed[0] * length, self.bed[1] * length),
            box=None
            if self.box is None
            else (self.box[0] * length, self.box[1] * length, self.box[2] * height),
        )

    @property
    def has_bonnet(self) -> bool:
        """Whether the engine lies under a bonnet of its own (not in trucks and buses)."""
        return self.front - self.windscreen[0] > 0.4

    def tub(self) -> Shell:
        """The lower body: from the sill to the belt line, bonnet and tail."""
        rear = self.rear if self.tub_rear is None else self.tub_rear
        long_nose = self.has_bonnet
        w, r = self.half_width, self.corner
        rear_radius, bow = (0.75 * r, 0.05) if self.tub_rear is None else (0.05, 0.0)
        nose_bow = 0.16 if long_nose else 0.06

        def at(side: float, ends: float) -> Outline:
            return Outline(rear + ends * 0.7, self.front - ends, w - side, r, rear_radius, nose_bow, bow)

        rings = (
            Ring(0.0, at(0.07, 0.10)),
            Ring(0.14, at(0.01, 0.02)),
            Ring(0.5, at(0.0, 0.0)),
            Ring(0.8, at(0.012, 0.02)),
            Ring(0.94, at(0.035, 0.06)),
            Ring(1.0, at(0.09, 0.13)),
        )
        top = (
            (rear, self.tail - 0.01),
            (rear + 0.2, self.tail),
            (self.rear_window[1] + 0.15, max(self.tail, self.belt)),
            (self.windscreen[0] - 0.5, self.belt),
            (self.windscreen[0], self.cowl),
            (max(self.front - 0.45, self.windscreen[0] + 0.01), (2 * self.nose + self.cowl) / 3 + 0.02),
            (self.front + 0.01, self.nose),
        )
        return Shell(rings, self.ground, top, crown=0.05 if long_nose else 0.01)

    def tail_end(self, tub: Shell) -> Shell:
        """The shell that carries taillights and rear plate: the tub, or the beam under a cargo box."""
        if self.box is None:
            return tub
        rear, w = self.box[1] - 0.03, self.half_width + 0.05
        beam = Outline(rear, rear + 0.35, w, 0.05, 0.05, 0.0, 0.0)
        top = self.ground + 0.44
        return Shell(
            (Ring(0.0, beam), Ring(1.0, beam)), self.ground + 0.02, ((rear, top), (rear + 0.35, top)), 0.0
        )

    def cabin(self, roof: str) -> Shell:
        """The glasshouse: from the belt line to the roof.

        Args:
            roof: "flat", "sloped" (falls to the rear) or "domed".
        """
        crown, front_drop, middle, rear_drop = ROOFS[roof]
        (foot, head), (rear_head, rear_foot) = self.windscreen, self.rear_window
        w = self.half_width - 0.075
        lean = self.tumblehome

        def at(t: float, inset: float) -> Outline:
            return Outline(
                rear_foot + (rear_head - rear_foot) * t + inset,
                foot + (head - foot) * t - inset,
                w - lean * t - inset,
                0.22 - 0.06 * t,
                0.20 - 0.04 * t,
                0.16 - 0.06 * t,
                0.08,
            )

        rings = (
            Ring(0.0, at(0.0, 0.0)),
            Ring(0.9, at(0.93, 0.0)),
            Ring(0.965, at(1.0, 0.025)),
            Ring(1.0, at(1.0, 0.09)),
        )
        z = self.roof
        top = (
            (rear_head, z - rear_drop),
            ((head + 2 * rear_head) / 3, z - (rear_drop - middle) / 3 + middle / 3),
            ((2 * head + rear_head) / 3, z + middle),
            (head, z - front_drop),
        )
        return Shell(rings, min(self.belt, self.cowl, max(self.tail, self.belt)) - 0.04, top, crown=crown)


ROOFS: Mapping[str, tuple[float, float, float, float]] = {
    # crown across, then drop at the front, rise in the middle and drop at the rear, in metres; ours
    "flat": (0.01, 0.0, 0.0, 0.0),
    "sloped": (0.03, 0.0, 0.0, 0.40),
    "domed": (0.18, 0.16, 0.15, 0.17),
}
"""Lines of a roof by the schema's `roof_shape`."""

SHAPES: Mapping[str, BodyShape] = {
    # Measures of common vehicles of each class, rounded; ours.
    "sedan": BodyShape(
        front=2.38, rear=-2.38, half_width=0.91, ground=0.20, nose=0.70, cowl=0.94, belt=0.95, tail=1.00,
        windscreen=(1.12, 0.30), rear_window=(-0.92, -1.68), roof=1.46, tumblehome=0.20, wheel=0.325,
        axles=(1.42, -1.32), panes=((0.03, 0.44), (0.49, 0.94)), doors=((0.92, -0.22), (-0.22, -1.22)),
    ),
    "hatchback": BodyShape(
        front=2.06, rear=-2.06, half_width=0.89, ground=0.20, nose=0.74, cowl=0.98, belt=0.99, tail=1.00,
        windscreen=(1.08, 0.32), rear_window=(-1.50, -2.00), roof=1.50, tumblehome=0.19, wheel=0.315,
        axles=(1.27, -1.33), panes=((0.03, 0.40), (0.45, 0.80)), doors=((0.84, -0.25), (-0.25, -1.15)),
    ),
    "SUV": BodyShape(
        front=2.32, rear=-2.32, half_width=0.95, ground=0.27, nose=0.90, cowl=1.10, belt=1.12, tail=1.13,
        windscreen=(1.10, 0.42), rear_window=(-1.78, -2.24), roof=1.74, tumblehome=0.18, wheel=0.375,
        axles=(1.42, -1.36), panes=((0.03, 0.36), (0.40, 0.70), (0.75, 0.97)),
        doors=((0.90, -0.20), (-0.20, -1.20)), cladding=True,
    ),
    "coupe": BodyShape(
        front=2.28, rear=-2.28, half_width=0.92, ground=0.16, nose=0.64, cowl=0.88, belt=0.90, tail=0.93,
        windscreen=(0.85, -0.02), rear_window=(-0.62, -1.80), roof=1.32, tumblehome=0.22, wheel=0.335,
        axles=(1.36, -1.28), panes=((0.06, 0.52), (0.57, 0.80)), doors=((0.70, -0.62),),
    ),
    "minivan": BodyShape(
        front=2.40, rear=-2.40, half_width=0.93, ground=0.22, nose=0.84, cowl=1.08, belt=1.07, tail=1.06,
        windscreen=(1.58, 0.62), rear_window=(-2.08, -2.34), roof=1.74, tumblehome=0.15, wheel=0.335,
        axles=(1.50, -1.42), panes=((0.07, 0.34), (0.38, 0.66), (0.70, 0.97)),
        doors=((1.15, 0.05), (0.05, -1.10)),
    ),
    "van": BodyShape(
        front=2.50, rear=-2.50, half_width=0.97, ground=0.24, nose=0.98, cowl=1.24, belt=1.22, tail=1.20,
        windscreen=(1.98, 1.12), rear_window=(-2.36, -2.46), roof=2.20, tumblehome=0.12, wheel=0.345,
        axles=(1.62, -1.52), panes=((0.06, 0.28),), doors=((1.45, 0.50), (0.38, -0.85)), corner=0.28,
    ),
    "pickup": BodyShape(
        front=2.68, rear=-2.68, half_width=0.95, ground=0.32, nose=0.98, cowl=1.14, belt=1.14, tail=1.12,
        windscreen=(1.18, 0.55), rear_window=(-0.62, -0.80), roof=1.82, tumblehome=0.17, wheel=0.40,
        axles=(1.70, -1.50), panes=((0.04, 0.52), (0.57, 0.95)), doors=((1.05, 0.10), (0.10, -0.72)),
        bed=(-0.92, -2.56), cladding=True,
    ),
    "truck": BodyShape(
        front=3.10, rear=-3.10, half_width=1.02, ground=0.45, nose=1.30, cowl=1.32, belt=1.30, tail=1.30,
        windscreen=(3.05, 2.72), rear_window=(1.62, 1.56), roof=2.25, tumblehome=0.08, wheel=0.42,
        axles=(2.25, -1.80), panes=((0.10, 0.80),), doors=((2.75, 1.75),), corner=0.16, tub_rear=1.52,
        box=(1.42, -3.05, 2.85),
    ),
    "bus": BodyShape(
        front=3.60, rear=-3.60, half_width=1.13, ground=0.32, nose=1.10, cowl=1.14, belt=1.16, tail=1.20,
        windscreen=(3.56, 3.30), rear_window=(-3.48, -3.56), roof=2.72, tumblehome=0.06, wheel=0.42,
        axles=(2.15, -1.95),
        panes=((0.01, 0.12), (0.15, 0.30), (0.32, 0.47), (0.49, 0.64), (0.66, 0.81), (0.83, 0.98)),
        doors=((3.20, 2.60), (-0.30, -1.15)), corner=0.20,
    ),
}  # fmt: skip
"""Body types; a schema's `type` values are looked up here."""
