"""The page that fuses photographs, with files chosen as a reader would; from disk, without a network."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from visiting import HTML, NEEDS, PHONE

import mffrepro as mff

pytestmark = [
    *NEEDS,
    pytest.mark.skipif(not (HTML / "_static" / "try-it-runtime.js").exists(), reason="the book was built without the runtime"),
]


@pytest.fixture
def choose(visit, tmp_path):
    """Open the page, choose photographs (arrays or bytes), and return the visit when the page has said what came of it."""

    def fuse(photographs, most="0.5", network="gacn", **options):
        files = []
        for i, photograph in enumerate(photographs):
            path = tmp_path / f"{i}.png"
            path.write_bytes(photograph) if isinstance(photograph, bytes) else mff.write_image(path, photograph)
            files.append(path)
        opened = visit("try-it.html", **options)
        opened.page.select_option("#mff-try-network", network)
        opened.page.select_option("#mff-try-most", most)
        opened.page.set_input_files("#mff-try-files", files)
        opened.page.wait_for_function("document.querySelector('.mff-try-status').textContent.endsWith('.')", timeout=120_000)
        return opened

    return fuse


def said(opened) -> str:
    return opened.page.inner_text(".mff-try-status")


def notes(opened) -> list[str]:
    return opened.page.locator(".mff-try-note").all_inner_texts()


def pictures(opened) -> list[np.ndarray]:
    """The fused image and the decision map, (H, W, 3) uint8."""
    links = opened.page.evaluate("[...document.querySelectorAll('.mff-try-results canvas')].map((one) => one.toDataURL())")
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(link.split(",")[1]))).convert("RGB")) for link in links]


@pytest.mark.parametrize("name", ["astronaut_blur2", "rocket_spread"])
def test_the_page_decides_as_python_does(choose, name):
    stack = mff.load("embedded")[name]
    opened = choose(stack.images)
    fused, decision = (picture.astype(int) for picture in pictures(opened))
    ours = mff.fuse(stack, "gacn")
    assert np.mean(np.abs(decision[..., 0] - 255 * ours.decision[0]) <= 1) >= 0.999
    assert np.mean(np.abs(fused - ours.image).max(-1) <= 1) >= 0.999
    shown = opened.page.locator(".mff-try").evaluate("({ dataset: { qabf, sf, ag } }) => [qabf, sf, ag].map(Number)")
    assert shown == pytest.approx(list(mff.evaluate(stack, pictures(opened)[0], ["qabf", "sf", "ag"]).values()), rel=1e-9)
    assert notes(opened) == []
    assert (opened.complaints, opened.strayed) == ([], [])


@pytest.mark.parametrize("count", [2, 4])
def test_the_page_shares_out_all_photographs_as_python_does(choose, count):
    images = mff.load("embedded", size=219)["motorcycle_lens"].images[:: 8 // count]  # sides that are no multiples of 8
    opened = choose(images, network="focal")
    fused, numbers = (picture.astype(int) for picture in pictures(opened))
    ours = mff.fuse(images, "focal")
    assert np.mean(np.abs(fused - ours.image).max(-1) <= 1) > 0.999
    places = np.tensordot(np.linspace(255, 0, count), ours.decision, 1)
    assert np.mean(np.abs(numbers[..., 0] - places) <= 5) > 0.999  # mff.fuse leaves out shares under a hundredth
    assert (opened.complaints, opened.strayed, notes(opened)) == ([], [], [])


def test_the_network_can_be_exchanged(choose):
    opened = choose(mff.load("embedded", size=128)["coffee_blur2"].images)
    before = pictures(opened)[1]
    opened.page.select_option("#mff-try-network", "focal")
    opened.page.wait_for_function("document.querySelector('.mff-try-status').textContent.endsWith('.')", timeout=120_000)
    assert (pictures(opened)[1] != before).any()


def test_what_needs_more_memory_than_a_page_has_is_said(choose):
    image = np.zeros((3000, 4000), np.uint8)
    opened = choose([image] * 3, most="12", network="focal")
    assert said(opened) == "3 photographs of 4000x3000 pixels need about 5 GB and a page may have 4; allow fewer pixels."


def test_large_photographs_are_scaled_with_a_note(choose):
    image = np.asarray(Image.fromarray(mff.load("embedded")["coffee_blur2"].reference).resize((900, 610)))
    opened = choose([image, image], most="0.25")
    assert notes(opened) == ["Scaled from 900x610 to 607x412 pixels."]
    assert pictures(opened)[0].shape == (412, 607, 3)


def test_three_photographs_one_after_the_other(choose):
    frames = mff.load("embedded", size=192)["motorcycle_lens"].images[::3]
    opened = choose(frames)
    assert "3 photographs" in said(opened)
    fused, decision = pictures(opened)
    serial = mff.fuse(frames, "gacn", strategy="serial")
    assert np.mean(np.abs(fused.astype(int) - serial.image).max(-1) <= 2) > 0.99
    assert len(np.unique(decision)) <= 3


def test_frames_that_lie_apart_are_noted(choose):
    near, far = mff.load("embedded")["astronaut_blur2"].images
    (note,) = notes(choose([near[:, 7:], far[:, :-7]]))
    apart = float(note.split("about ")[1].split(" pixels")[0])
    assert apart == pytest.approx(7, abs=1)


def test_another_scene_is_noted(choose):
    scenes = mff.load("embedded")
    (note,) = notes(choose([scenes["astronaut_blur2"].images[0][:340, :340], scenes["coffee_blur2"].images[0][:340, :340]]))
    assert note == "1.png and 0.png do not seem to show the same scene."


def test_16_bits_are_noted(choose):
    deep = [image.astype(np.uint16) * 257 for image in mff.load("embedded", size=128)["coffee_blur2"].images]
    assert notes(choose(deep)) == ["Fused with 8 bits; the files have 16."]


@pytest.mark.parametrize(
    ("photographs", "sentence"),
    [
        ([np.zeros((64, 64), np.uint8)], "choose two or more of the same scene"),
        ([np.zeros((64, 64), np.uint8), b"a text"], "1.png cannot be read by this browser; save it as JPEG or PNG."),
        ([np.zeros((64, 64), np.uint8), np.zeros((64, 65), np.uint8)], "1.png has 65x64, 0.png 64x64 pixels; give photographs"),
        ([np.zeros((20, 64), np.uint8)] * 2, "64x20 pixels are too few; 32 a side are needed."),
    ],
)
def test_what_cannot_be_fused_is_said(choose, photographs, sentence):
    opened = choose(photographs)
    assert sentence in said(opened)
    assert (opened.complaints, pictures(opened)) == ([], [])


def test_the_result_is_handed_out_and_fits_a_phone(choose, tmp_path):
    images = mff.load("embedded", size=256)["coffee_blur2"].images
    opened = choose(images, viewport=PHONE)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    with opened.page.expect_download() as download:
        opened.page.get_by_text("Download fused.png").click()
    saved = np.asarray(Image.open(download.value.path()).convert("RGB"))
    np.testing.assert_array_equal(saved, pictures(opened)[0])
