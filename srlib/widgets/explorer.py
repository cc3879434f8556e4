"""The explorer: choose or upload an image in JupyterLab, drag a region, run the networks on it and compare their outputs.

Finished results of any method, in folders, are offered beside the networks.

The controls are here, and `explorer_run` does the work. A run has a thread of its own, so that the page and its Cancel button
stay responsive. A script (`explorer.js`) lets the region be dragged on the picture and writes its position into a hidden field;
the sliders beside it set the same position by keyboard, and where scripts are not trusted.
"""

import base64
import io
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
from IPython.display import HTML, Markdown
from PIL import Image

from srlib.datasets import DATASETS, is_available, open_images
from srlib.errors import InputError
from srlib.figures.regions import Region
from srlib.figures.style import table
from srlib.images import read_image
from srlib.matching import images_in, match
from srlib.papers import EXPERIMENTS
from srlib.protocol import PROTOCOLS, SCALES
from srlib.training.devices import choose_device, device_name
from srlib.widgets.elements import with_script
from srlib.widgets.explorer_choices import NAMES, available_methods, missing_methods, most_trained
from srlib.widgets.explorer_run import MAX_SIDE, MIN_SIDE, Request, run_request
from srlib.widgets.results import as_folders
from srlib.widgets.viewer import HR

UPLOAD = "your own file"
STATUS_EVERY = 0.2  # seconds between two updates of the status line
SIDE_STEP = 12  # the side of a region is a multiple of it, and so of every scale
PREVIEW_WIDTH = 320  # of the small picture, in dots


def explore(results: str | Path | Mapping[str, str | Path] | None = None, *, name: str = "", device: str = "auto") -> w.VBox:
    """The explorer as a widget of JupyterLab and VS Code.

    Parameters
    ----------
    results : path or mapping, optional
        A folder of finished results, whose name is their label, or label to folder. Each is offered beside the networks, for
        the images of the sets; their files are matched by name (`srlib.matching.match`).
    name : str
        Pattern of the results' names, such as `{name}_x{scale}_mine`; default: as tools write them.
    device : str
        Device of the networks: 'cpu', 'cuda' or 'auto'.

    Returns
    -------
    ipywidgets.VBox
        Controls above, results below.

    Raises
    ------
    InputError
        If a folder is none or holds no image, or a label is that of another method.
    """
    folders = {} if results is None else as_folders(results)
    for label, folder in folders.items():
        images_in(folder)
        if label in (HR, *NAMES, *NAMES.values(), *EXPERIMENTS):
            raise InputError(f"The label {label!r} is that of another method: give the folder its own.")
    return Explorer(choose_device(device), folders, name).box


def _control(kind: type[w.Widget], description: str = "", **options: Any) -> w.Widget:
    style = {} if kind in (w.Button, w.FileUpload) else {"description_width": "90px"}
    return kind(description=description, layout=w.Layout(width="auto"), style=style, **options)


def _box(chosen: bool, label: str) -> w.Checkbox:
    return w.Checkbox(chosen, description=label, indent=False, layout=w.Layout(width="auto"))


def read_upload(name: str, content: bytes) -> np.ndarray:
    """The pixels of an uploaded file as `read_image` reads them; an `InputError` names the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        try:
            return read_image(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), name)) from None


def _thumbnail(pixels: np.ndarray) -> str:
    """A `data:` address of a small JPEG, light enough to be sent again with every move of the region."""
    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((2 * PREVIEW_WIDTH, 4 * PREVIEW_WIDTH))
    image.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


class Explorer:
    """The widgets of one explorer, its chosen image and its run; `box` holds them all."""

    def __init__(self, device: str, folders: Mapping[str, str | Path] | None = None, pattern: str = "") -> None:
        self.device, self.folders, self.pattern = device, folders or {}, pattern
        self.cancelled = threading.Event()
        self.name, self.pixels, self.thumbnail = "", None, ""  # of the chosen image
        self.uploaded = "", None  # name and pixels
        self.boxes: dict[str, w.Checkbox] = {}  # of the methods
        self.finished: dict[str, Path] = {}  # label to file of the results of the chosen image and scale
        self.finished_boxes = {label: _box(True, label) for label in self.folders}
        sets = [name for name, dataset in DATASETS.items() if dataset.role.startswith("test") and is_available(name)]
        self.dataset = _control(w.Dropdown, "images", options=[*sets, "Sample", UPLOAD])
        self.image = _control(w.Dropdown, "image")
        self.upload = _control(w.FileUpload, "Upload an image", accept="image/*")
        self.itself = _control(w.Checkbox, "enlarge the image itself: no scores", indent=False)
        self.preview = _control(w.HTML)
        self.position = w.Text(layout=w.Layout(display="none"))  # written by the script
        self.top = _control(w.IntSlider, "from top")
        self.left = _control(w.IntSlider, "from left")
        self.side = _control(w.IntSlider, "side", min=MIN_SIDE, max=MAX_SIDE, step=SIDE_STEP, value=192)
        self.scale = _control(w.Dropdown, "scale", options=[(f"×{s}", s) for s in SCALES], value=3)
        self.methods = w.VBox(layout=w.Layout(max_height="250px", overflow="auto"))
        self.missing = _control(w.HTML)
        self.without = _control(w.HTML)  # the results that the image does not have
        self.protocol = _control(w.Dropdown, "scores", options=list(PROTOCOLS))
        self.self_ensemble = _control(w.Checkbox, "self-ensemble (eight times the work)", indent=False)
        self.states = _control(w.Checkbox, "show the states of recursive networks", indent=False)
        self.run = _control(w.Button, "Run", button_style="primary", icon="play")
        self.cancel = _control(w.Button, "Cancel", icon="stop", disabled=True)
        self.progress = _control(w.FloatProgress, "done", max=1.0)
        self.status = _control(w.HTML)
        self.results = w.Output()
        for control, react in (
            (self.dataset, self.list_images),
            (self.image, self.read_image),
            (self.upload, self.take_upload),
            (self.itself, self.show_image),
            (self.scale, self.list_methods),
            (self.side, self.fit_region),
            (self.top, self.draw_region),
            (self.left, self.draw_region),
            (self.position, self.move_region),
        ):
            control.observe(lambda _, react=react: self.react(react), "value")
        self.run.on_click(lambda _: self.react(self.start))
        self.cancel.on_click(lambda _: self.cancelled.set())
        self.list_methods()
        self.react(self.list_images)
        self.box = self.layout()

    def layout(self) -> w.VBox:
        """The image and the choices in two columns, the results below; and the script, which finds two classes."""
        script = w.Output()
        script.append_display_data(HTML(with_script("", "explorer.js")))
        self.position.add_class("srlib-place")
        image = [self.dataset, self.image, self.upload, self.itself]
        region = [self.preview, self.position, self.top, self.left, self.side]
        methods = [self.scale, w.HTML("<strong>methods</strong>"), self.methods, self.without, self.missing]
        options = [self.protocol, self.self_ensemble, self.states]
        run = [w.HBox([self.run, self.cancel]), self.progress, self.status]
        column = w.Layout(flex="1 1 300px", min_width="280px", max_width="420px")
        columns = [w.VBox(parts, layout=column) for parts in ([*image, *region], [*methods, *options, *run])]
        box = w.VBox([script, w.HBox(columns, layout=w.Layout(flex_flow="row wrap", grid_gap="24px")), self.results])
        return box.add_class("srlib-explorer")

    def react(self, react: Callable[[], None]) -> None:
        """React to a control; an error is shown in the explorer, not in the log of the page."""
        try:
            self.status.value = ""
            react()
        except InputError as error:
            self.show_status(str(error))

    def show_status(self, text: str) -> None:
        """Show a sentence, which a screen reader speaks."""
        self.status.value = f'<div role="status">{escape(text)}</div>'

    def list_images(self) -> None:
        """List the images of the chosen set, and read the first."""
        self.image.disabled = self.dataset.value == UPLOAD
        images = () if self.image.disabled else open_images(self.dataset.value)
        self.image.options = [images.name_of(k) for k in range(len(images))]
        self.image.index = 0 if images else None
        self.read_image()

    def take_upload(self) -> None:
        """Choose an uploaded file; if it is not an image, the one chosen before stays."""
        if self.upload.value:
            file = self.upload.value[0]
            self.uploaded = file["name"], read_upload(file["name"], bytes(file["content"]))
            self.dataset.value = UPLOAD
            self.read_image()

    def read_image(self) -> None:
        """Read the chosen image and show it."""
        self.pixels = None  # and so it stays if the file is damaged
        if self.dataset.value == UPLOAD:
            self.name, self.pixels = self.uploaded
        else:
            try:
                self.name, self.pixels = self.image.value, open_images(self.dataset.value).read(self.image.index)
            except InputError:
                self.preview.value = ""  # not the picture before
                raise
        self.thumbnail = "" if self.pixels is None else _thumbnail(self.pixels)
        self.show_image()

    def size(self) -> tuple[int, int]:
        """Height and width of the output in pixels."""
        scale = self.scale.value
        height, width = (n * scale if self.itself.value else n // scale * scale for n in self.pixels.shape[:2])
        return height, width

    def show_image(self) -> None:
        """Show the chosen image, with the region in its middle."""
        self.protocol.disabled = self.itself.value
        self.list_finished()
        if self.pixels is None:
            self.preview.value = f"<p>{'Upload an image.' if self.dataset.value == UPLOAD else ''}</p>"
            return
        if min(self.size()) < MIN_SIDE:
            height, width = self.pixels.shape[:2]
            self.preview.value = ""
            raise InputError(f"The image has {width} x {height} pixels: at least {MIN_SIDE} a side are wanted.")
        self.side.max = min(MAX_SIDE, *self.size()) // SIDE_STEP * SIDE_STEP
        self.fit_region()
        for slider in (self.top, self.left):
            slider.value = slider.max // 2

    def fit_region(self) -> None:
        """Limit the region to the image."""
        if self.pixels is not None and min(self.size()) >= MIN_SIDE:
            for slider, size in zip((self.top, self.left), self.size(), strict=True):
                slider.max = size - self.side.value
            self.draw_region()

    def move_region(self) -> None:
        """Set the sliders to a dragged region, whose corner the script gives as fractions of the image's sides."""
        if self.pixels is not None and self.position.value:
            fractions = self.position.value.split(",")
            for slider, fraction, size in zip((self.top, self.left), fractions, self.size(), strict=True):
                slider.value = round(float(fraction) * size)

    def draw_region(self) -> None:
        """Draw the region on the small picture, which the script makes draggable."""
        if self.pixels is None:
            return
        (height, width), top, left, side = self.size(), self.top.value, self.left.value, self.side.value
        name = self.image.value or "Your image"
        alt = f"{name}, with the region {top} pixels from the top and {left} from the left, {side} pixels a side"
        box = f'x="{left}" y="{top}" width="{side}" height="{side}" fill="none" vector-effect="non-scaling-stroke"'
        self.preview.value = f"""\
<div class="srlib-pick" style="position: relative; max-width: {PREVIEW_WIDTH}px; touch-action: none; cursor: move">
<img src="{self.thumbnail}" alt="{escape(alt)}" draggable="false"
 style="display: block; width: 100%">
<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true"
 style="position: absolute; inset: 0; width: 100%; height: 100%">
<rect {box} stroke="white" stroke-width="5"/><rect {box} stroke="#c00" stroke-width="2"/></svg></div>"""

    def list_methods(self) -> None:
        """List the methods of the chosen scale; the most trained network of each paper is selected at first."""
        scale = self.scale.value
        selected = {*NAMES, *most_trained(scale)}
        self.boxes = {
            name: _box(name in selected, NAMES.get(name, name))
            for name in sorted(available_methods(scale), key=lambda name: name not in selected)
        }
        self.missing.value = missing_methods(scale)
        self.show_image()

    def list_finished(self) -> None:
        """List the results of the chosen image and scale above the methods; and those that it has not, with the reason."""
        self.finished, without = {}, {}
        for label, folder in self.folders.items():
            if self.dataset.value == UPLOAD or self.itself.value:
                without[label] = "finished results are shown for the images of a set, beside their original"
                continue
            name = self.image.value
            try:
                found = match(open_images(self.dataset.value).names, folder, self.scale.value, self.pattern)
            except InputError as error:
                without[label] = str(error)
                continue
            if name in found.files:
                self.finished[label] = found.files[name]
            else:
                without[label] = found.faults.get(name, "")
        self.methods.children = (*(self.finished_boxes[label] for label in self.finished), *self.boxes.values())
        self.without.value = "".join(f"<div>{escape(f'{label}: {reason}')}</div>" for label, reason in without.items())

    def start(self) -> None:
        """Start a run of the request that the controls describe."""
        if self.pixels is None:
            raise InputError("There is no image yet: choose one of a set, or upload one.")
        methods = tuple(name for name, box in self.boxes.items() if box.value)
        finished = {label: path for label, path in self.finished.items() if self.finished_boxes[label].value}
        if not methods and not finished:
            raise InputError("No method is chosen: choose one or more.")
        dataset = "" if self.dataset.value == UPLOAD else self.dataset.value
        place = self.top.value, self.left.value, self.side.value, self.side.value
        region = Region(self.name, dataset, self.scale.value, *place, "it was chosen by hand")
        options = {"self_ensemble": self.self_ensemble.value, "itself": self.itself.value, "states": self.states.value}
        options |= {"device": self.device, "finished": finished}
        request = Request(self.pixels, region, methods, self.protocol.value, **options)
        self.cancelled.clear()
        self.run.disabled, self.cancel.disabled = True, False
        self.results.outputs = ()
        threading.Thread(target=self.work, args=(request,), name="srlib explorer", daemon=True).start()

    def work(self, request: Request) -> None:
        """Run a request and show its result: the function of a run's thread."""
        began = last_update = time.monotonic()

        def progress(name: str, fraction: float) -> None:
            nonlocal last_update
            now = time.monotonic()
            if now - last_update > STATUS_EVERY:
                last_update, self.progress.value = now, fraction
                left = (now - began) * (1 - fraction) / fraction if fraction else 0
                self.show_status(f"{name}: {fraction:.0%} of all done, {left:.0f} s left")
            if self.cancelled.is_set():
                raise CancelledError

        try:
            self.progress.value = 0
            self.show_status("Reading the networks")
            result = run_request(request, progress)
            self.progress.value = 1
            frame, digits = result.table(), {"SSIM": 4, "SSIM, whole image": 4, "MB": 0}
            formats = {name: f"{{:.{digits.get(name, 2)}f}}" for name in frame.columns if name not in ("method", "note")}
            numbers = table(frame, "The methods in numbers").format(formats, na_rep="–")
            for item in (result.comparison(), numbers, Markdown(result.notes()), *result.states):
                self.results.append_display_data(item)
            self.show_status(f"Done in {time.monotonic() - began:.1f} s on {device_name(self.device)}.")
        except CancelledError:
            self.progress.value = 0
            self.show_status("Cancelled: nothing was kept.")
        except Exception as error:  # of any kind, out of memory or a damaged file: nobody sees the traceback of a thread
            self.show_status(f"That did not work: {error}")
        finally:
            self.run.disabled, self.cancel.disabled = False, True
