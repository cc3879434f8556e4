"""The explorer: choose or upload an image in JupyterLab, drag a region, run the networks on it and compare their outputs.

The controls are here, and `explorer_run` does the work. A run has a thread of its own, so that the page and its Cancel button
stay responsive. A script (`explorer.js`) lets the region be dragged on the picture and writes its position into a hidden field;
the sliders beside it set the same position by keyboard, and where scripts are not trusted.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from html import escape
from types import SimpleNamespace
from typing import Any

import ipywidgets as w
import numpy as np
from IPython.display import HTML, Markdown

from srlib.errors import InputError
from srlib.figures.regions import Region
from srlib.figures.style import table
from srlib.protocol import PROTOCOLS, SCALES
from srlib.training.devices import choose_device, device_name
from srlib.widgets.elements import with_script
from srlib.widgets.explorer_choices import (
    NAMES,
    available_methods,
    image_names,
    missing_methods,
    most_trained,
    read_image_of,
    read_upload,
    small_picture,
    test_sets,
)
from srlib.widgets.explorer_run import MAX_SIDE, MIN_SIDE, Request, Result, run_request

UPLOAD = "your own file"
STATUS_EVERY = 0.2  # seconds between two updates of the status line
SIDE_STEP = 12  # the side of a region is a multiple of it, and so of every scale


def _controls(device: str) -> SimpleNamespace:
    """All widgets of one explorer, by name, with its device and its event of cancelling."""

    def control(kind: type[w.Widget], description: str = "", **options: Any) -> w.Widget:
        style = {} if kind in (w.Button, w.FileUpload) else {"description_width": "90px"}
        return kind(description=description, layout=w.Layout(width="auto"), style=style, **options)

    return SimpleNamespace(
        device=device,
        dataset=control(w.Dropdown, "images", options=[*test_sets(), UPLOAD]),
        image=control(w.Dropdown, "image"),
        upload=control(w.FileUpload, "Upload an image", accept="image/*"),
        itself=control(w.Checkbox, "enlarge the image itself: no scores", indent=False),
        preview=control(w.HTML),
        position=w.Text(layout=w.Layout(display="none")),  # written by the script
        top=control(w.IntSlider, "from top"),
        left=control(w.IntSlider, "from left"),
        side=control(w.IntSlider, "side", min=MIN_SIDE, max=MAX_SIDE, step=SIDE_STEP, value=192),
        scale=control(w.Dropdown, "scale", options=[(f"×{s}", s) for s in SCALES], value=3),
        methods=w.VBox(layout=w.Layout(max_height="250px", overflow="auto")),
        missing=control(w.HTML),
        protocol=control(w.Dropdown, "scores", options=list(PROTOCOLS)),
        self_ensemble=control(w.Checkbox, "self-ensemble (eight times the work)", indent=False),
        states=control(w.Checkbox, "show the states of recursive networks", indent=False),
        run=control(w.Button, "Run", button_style="primary", icon="play"),
        cancel=control(w.Button, "Cancel", icon="stop", disabled=True),
        progress=control(w.FloatProgress, "done", max=1.0),
        status=control(w.HTML),
        results=w.Output(),
        cancelled=threading.Event(),
    )


def explore(device: str = "auto") -> w.VBox:
    """The explorer as a widget of JupyterLab and VS Code.

    Parameters
    ----------
    device : str
        Device of the networks: 'cpu', 'cuda' or 'auto'.

    Returns
    -------
    ipywidgets.VBox
        Controls above, results below.
    """
    c = _controls(choose_device(device))
    for control, react in (
        (c.dataset, _list_images),
        (c.image, _show_image),
        (c.upload, _take_upload),
        (c.itself, _show_image),
        (c.scale, _list_methods),
        (c.side, _fit_region),
        (c.top, _draw_region),
        (c.left, _draw_region),
        (c.position, _move_region),
    ):
        control.observe(lambda _, react=react: _react(c, react), "value")
    c.run.on_click(lambda _: _react(c, _start))
    c.cancel.on_click(lambda _: c.cancelled.set())
    c.position.add_class("srlib-place")
    _list_methods(c)
    _list_images(c)
    script = w.Output()
    script.append_display_data(HTML(with_script("", "explorer.js")))
    column = w.Layout(flex="1 1 300px", min_width="280px", max_width="420px")
    picture = [c.dataset, c.image, c.upload, c.itself, c.preview, c.position, c.top, c.left, c.side]
    choices = [
        c.scale,
        w.HTML("<strong>methods</strong>"),
        c.methods,
        c.missing,
        c.protocol,
        c.self_ensemble,
        c.states,
    ]
    buttons = w.HBox([c.run, c.cancel])
    columns = [w.VBox(picture, layout=column), w.VBox([*choices, buttons, c.progress, c.status], layout=column)]
    box = w.VBox([script, w.HBox(columns, layout=w.Layout(flex_flow="row wrap", grid_gap="24px")), c.results])
    box.add_class("srlib-explorer")
    return box


def _react(c: SimpleNamespace, react: Callable[[SimpleNamespace], None]) -> None:
    """React to a control; an error is shown in the explorer, not in the log of the page."""
    try:
        c.status.value = ""
        react(c)
    except InputError as error:
        _show_status(c, str(error))


def _show_status(c: SimpleNamespace, text: str) -> None:
    c.status.value = f'<div role="status">{escape(text)}</div>'


def _list_images(c: SimpleNamespace) -> None:
    c.image.options = [] if c.dataset.value == UPLOAD else image_names(c.dataset.value)
    c.image.disabled = c.dataset.value == UPLOAD
    c.image.index = 0 if c.image.options else None
    _show_image(c)


def _take_upload(c: SimpleNamespace) -> None:
    if c.upload.value:
        _uploaded(c)  # raises if the file is not an image, and the image chosen before stays
        c.dataset.value = UPLOAD
        _show_image(c)


def _image(c: SimpleNamespace) -> np.ndarray | None:
    """The chosen image, or `None`."""
    if c.dataset.value != UPLOAD:
        return read_image_of(c.dataset.value, c.image.value) if c.image.value else None
    return _uploaded(c) if c.upload.value else None


def _uploaded(c: SimpleNamespace) -> np.ndarray:
    return read_upload(c.upload.value[0]["name"], bytes(c.upload.value[0]["content"]))


def _size(c: SimpleNamespace, image: np.ndarray) -> tuple[int, int]:
    """Height and width of the output in pixels."""
    scale = c.scale.value
    height, width = (n * scale if c.itself.value else n // scale * scale for n in image.shape[:2])
    return height, width


def _show_image(c: SimpleNamespace) -> None:
    """Show the chosen image, with the region in its middle."""
    image = _image(c)
    c.protocol.disabled = c.itself.value
    if image is None:
        c.preview.value = f"<p>{'Upload an image.' if c.dataset.value == UPLOAD else ''}</p>"
        return
    if min(_size(c, image)) < MIN_SIDE:
        raise InputError(f"The image has {image.shape[1]} x {image.shape[0]} pixels: at least {MIN_SIDE} a side are wanted.")
    c.side.max = min(MAX_SIDE, *_size(c, image)) // SIDE_STEP * SIDE_STEP
    _fit_region(c)
    for slider in (c.top, c.left):
        slider.value = slider.max // 2
    _draw_region(c)


def _fit_region(c: SimpleNamespace) -> None:
    """Limit the region to the image."""
    if (image := _image(c)) is not None:
        for slider, size in zip((c.top, c.left), _size(c, image), strict=True):
            slider.max = size - c.side.value
        _draw_region(c)


def _move_region(c: SimpleNamespace) -> None:
    """Set the sliders to a dragged region, whose corner the script gives as fractions of the image's sides."""
    image = _image(c)
    if image is not None and c.position.value:
        fractions = [float(part) for part in c.position.value.split(",")]
        for slider, fraction, size in zip((c.top, c.left), fractions, _size(c, image), strict=True):
            slider.value = round(fraction * size)


def _draw_region(c: SimpleNamespace) -> None:
    if (image := _image(c)) is not None:
        name = c.image.value or "Your image"
        c.preview.value = small_picture(image, name, _size(c, image), c.top.value, c.left.value, c.side.value)


def _list_methods(c: SimpleNamespace) -> None:
    """List the methods of the chosen scale; the most trained network of each paper is selected at first."""
    names, selected = available_methods(c.scale.value), [*NAMES, *most_trained(c.scale.value)]
    c.methods.children = [
        w.Checkbox(description=NAMES.get(name, name), value=name in selected, indent=False, layout=w.Layout(width="auto"))
        for name in sorted(names, key=lambda name: name not in selected)
    ]
    c.missing.value = missing_methods(c.scale.value)
    _show_image(c)


def _request(c: SimpleNamespace) -> Request:
    """The request that the controls describe."""
    if (image := _image(c)) is None:
        raise InputError("There is no image yet: choose one of a set, or upload one.")
    experiments = {NAMES.get(name, name): name for name in available_methods(c.scale.value)}
    methods = tuple(experiments[box.description] for box in c.methods.children if box.value)
    if not methods:
        raise InputError("No method is chosen: choose one or more.")
    uploaded = c.dataset.value == UPLOAD
    name, dataset = (c.upload.value[0]["name"], "") if uploaded else (c.image.value, c.dataset.value)
    side = c.side.value
    region = Region(name, dataset, c.scale.value, c.top.value, c.left.value, side, side, "it was chosen by hand")
    options = {"self_ensemble": c.self_ensemble.value, "itself": c.itself.value}
    return Request(image, region, methods, c.protocol.value, states=c.states.value, device=c.device, **options)


def _start(c: SimpleNamespace) -> None:
    request = _request(c)
    c.cancelled.clear()
    c.run.disabled, c.cancel.disabled = True, False
    c.results.outputs = ()
    threading.Thread(target=_work, args=(c, request), name="srlib explorer", daemon=True).start()


def _work(c: SimpleNamespace, request: Request) -> None:
    """Run a request and show its result: the function of a run's thread."""
    began = last_update = time.monotonic()

    def progress(name: str, fraction: float) -> None:
        nonlocal last_update
        now = time.monotonic()
        if now - last_update > STATUS_EVERY:
            last_update, c.progress.value = now, fraction
            left = (now - began) * (1 - fraction) / fraction if fraction else 0
            _show_status(c, f"{name}: {fraction:.0%} of all done, {left:.0f} s left")

    try:
        c.progress.value = 0
        _show_status(c, "Reading the networks")
        result = run_request(request, progress, c.cancelled.is_set)
        c.progress.value = 1
        _show_result(c, result)
        _show_status(c, f"Done in {time.monotonic() - began:.1f} s on {device_name(c.device)}.")
    except CancelledError:
        c.progress.value = 0
        _show_status(c, "Cancelled: nothing was kept.")
    except Exception as error:  # of any kind, out of memory or a damaged file: nobody sees the traceback of a thread
        _show_status(c, f"That did not work: {error}")
    finally:
        c.run.disabled, c.cancel.disabled = False, True


def _show_result(c: SimpleNamespace, result: Result) -> None:
    """Show the viewer, the table and the states of a result."""
    digits = {"SSIM": "{:.4f}", "SSIM, whole image": "{:.4f}", "MB": "{:.0f}"}
    frame = result.table()
    formats = {name: digits.get(name, "{:.2f}") for name in frame.columns if name not in ("method", "note")}
    numbers = table(frame, "The methods in numbers").format(formats, na_rep="–")
    for item in (result.comparison(), numbers, Markdown(result.notes()), *result.states):
        c.results.append_display_data(item)
