"""Objects under rotation and light, rendered by MuJoCo without a screen."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from unweave.datasets.drawn.meshes import Mesh

__all__ = ["Renderer"]

_RADIUS = 1.75  # of the object; the camera sees 2.07 at its distance


class Renderer:
    """The scene of the S3O4D generator (Pfau et al. 2020), at a size of one's own.

    A camera at z = 5 looks down at an object that is turned about its middle, between two opposed
    directional lights; there is no other light. A pixel is the mean over ``supersampling`` squared
    samples and over colours. Unlike there, the object casts no shadows on itself, and samples are
    not smoothed again by the graphics library, unless ``shadows`` asks for both: a frame of 64
    pixels then takes 50 to 130 times as long.

    Parameters
    ----------
    mesh
        What is shown.
    size
        Pixels on a side.
    supersampling
        Samples on a side of each pixel; 4 in the paper.
    shadows
        Whether to render with shadows and smoothed samples, as the generator does.

    Raises
    ------
    ImportError
        If MuJoCo or the graphics library is not installed.
    """

    def __init__(
        self, mesh: Mesh, *, size: int = 64, supersampling: int = 2, shadows: bool = False
    ) -> None:
        mujoco = _imported()
        self._mujoco = mujoco
        self.size, self.supersampling = size, supersampling
        side = size * supersampling
        self._model = mujoco.MjModel.from_xml_string(_scene(mesh.scaled(_RADIUS), side, shadows))
        self._data = mujoco.MjData(self._model)
        self._renderer = mujoco.Renderer(self._model, side, side)

    def render(self, quaternions: np.ndarray, lights: np.ndarray) -> np.ndarray:
        """Images (n, size, size) float32 in [0, 255] at rotations (n, 4) and lights (n, 3).

        Quaternions have their real part first. They and directions need not be of length 1.
        """
        quaternions, lights = _unit(quaternions), _unit(lights)
        images = np.empty((len(quaternions), self.size, self.size), dtype=np.float32)
        for i, (quaternion, light) in enumerate(zip(quaternions, lights, strict=True)):
            images[i] = self._frame(quaternion, light)
        return images

    def close(self) -> None:
        """Give the graphics memory back."""
        self._renderer.close()

    def _frame(self, quaternion: np.ndarray, light: np.ndarray) -> np.ndarray:
        self._model.body_quat[1] = quaternion
        self._model.light_pos[:] = 5 * light, -5 * light
        self._model.light_dir[:] = -light, light
        self._mujoco.mj_kinematics(self._model, self._data)
        self._mujoco.mj_comPos(self._model, self._data)
        self._mujoco.mj_camlight(self._model, self._data)
        self._renderer.update_scene(self._data, camera="main")
        samples = self._renderer.render().astype(np.float32)
        shape = (self.size, self.supersampling, self.size, self.supersampling, 3)
        return samples.reshape(shape).mean(axis=(1, 3, 4))


def _scene(mesh: Mesh, side: int, shadows: bool) -> str:
    corners = " ".join(f"{v:.7g}" for v in mesh.vertices.ravel())
    faces = " ".join(map(str, mesh.faces.ravel()))
    casts = str(shadows).lower()
    light = f'<light directional="true" castshadow="{casts}" pos="0 0 5" dir="0 0 -1"/>'
    quality = "" if shadows else '<quality offsamples="0"/>'
    return f"""
    <mujoco>
      <visual>
        <headlight active="0"/>
        <global offwidth="{side}" offheight="{side}"/>
        {quality}
      </visual>
      <asset><mesh name="mesh" inertia="shell" vertex="{corners}" face="{faces}"/></asset>
      <worldbody>
        <camera name="main" pos="0 0 5" xyaxes="1 0 0 0 1 0"/>
        <body name="object"><geom type="mesh" mesh="mesh"/></body>
        {light}
        {light}
      </worldbody>
    </mujoco>"""


def _unit(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise ValueError("a rotation or a light is zero or not finite: none has a direction then")
    return vectors / lengths


def _imported() -> Any:
    # MuJoCo reads this once, when it is first imported.
    without_screen = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    if without_screen and "MUJOCO_GL" not in os.environ:
        if "mujoco" in sys.modules:
            raise ImportError(
                "mujoco was imported before, and chose to draw on a screen, and there is none: "
                "set MUJOCO_GL=osmesa in the environment"
            )
        os.environ["MUJOCO_GL"] = "osmesa"
    try:
        import mujoco

        return mujoco
    except (ImportError, AttributeError, OSError) as error:
        raise ImportError(
            f'rendering needs MuJoCo and OSMesa ({error}): pip install "unweave[render]" and, on '
            "Debian, apt-get install libosmesa6; or set MUJOCO_GL=egl"
        ) from error
