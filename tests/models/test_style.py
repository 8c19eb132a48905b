"""Networks whose latents are styles."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unweave.models import Network, build_vae, count_parameters
from unweave.models.objectives import OBJECTIVES
from unweave.models.style import InstanceNorm, styled


def by_torch(maps, scale, shift):
    normal = F.instance_norm(maps, eps=1e-5)
    return F.leaky_relu(normal * scale[:, :, None, None] + shift[:, :, None, None], 0.2)


@pytest.fixture
def given():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 5, 8, 6, generator=generator) * 3 + 10
    scale, shift = torch.randn(2, 3, 5, generator=generator)
    return [t.requires_grad_() for t in (maps, scale, shift)]


class TestStyled:
    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_it_is_instance_normalisation_with_a_style(self, given, layout):
        maps, scale, shift = given
        weights = torch.randn(3, 5, 8, 6, generator=torch.Generator().manual_seed(1))
        found = styled(maps.to(memory_format=layout), scale, shift)
        torch.testing.assert_close(found, by_torch(*given), rtol=1e-4, atol=1e-5)
        ours = torch.autograd.grad((found * weights).sum(), given)
        theirs = torch.autograd.grad((by_torch(*given) * weights).sum(), given)
        for own, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-4)

    def test_what_is_not_finite_stays_so(self, given):
        """Otherwise training would not notice that it diverged."""
        for bad in (float("nan"), float("inf")):
            maps = given[0].detach().clone()
            maps[1, 2, 3, 4] = bad
            found = styled(maps, *given[1:]).detach()
            assert torch.isnan(found[1, 2]).any()
            assert torch.isfinite(found[[0, 2]]).all()

    def test_half_precision_is_computed_in_single(self, given):
        maps, scale, shift = (t.detach() for t in given)
        found = styled(maps.bfloat16(), scale, shift)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, by_torch(maps.bfloat16().float(), scale, shift),
                                   rtol=1e-4, atol=1e-5)  # fmt: skip

    def test_constant_maps_become_the_shift(self):
        found = styled(torch.full((1, 2, 4, 4), 7.0), torch.ones(1, 2), torch.tensor([[1.0, -1]]))
        torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([1.0, -0.2]))

    def test_a_learnt_norm_starts_as_the_plain_one(self, given):
        maps = given[0].detach()
        plain = by_torch(maps, torch.ones(3, 5), torch.zeros(3, 5))
        torch.testing.assert_close(InstanceNorm(5)(maps).detach(), plain, rtol=1e-4, atol=1e-5)


class TestNetwork:
    @pytest.mark.parametrize("sides", [(32, 32), (64, 64), (128, 128), (32, 64)])
    def test_sizes(self, sides):
        shape = (*sides, 3)
        model = build_vae(Network(name="style", width=0.125, n_latents=4), shape, seed=0).eval()
        images = np.zeros((2, *shape), dtype=np.uint8)
        assert model.encode(images).shape == (2, 4)
        assert model.decode(model.encode(images)).shape == (2, *shape)

    def test_a_size_that_cannot_be_halved(self):
        with pytest.raises(
            ValueError, match="style network needs images whose sides are multiples of 8"
        ):
            build_vae(Network(name="style"), (36, 36, 3), seed=0)

    def test_width_scales_it(self):
        sizes = [
            count_parameters(build_vae(Network(name="style", width=w), (32, 32, 3), seed=0))
            for w in (0.5, 1, 2)
        ]
        assert sizes[0] < sizes[1] / 3 < sizes[2] / 9

    def test_any_encoder_may_have_the_decoder(self):
        model = build_vae(Network(name="burgess", decoder="style"), (32, 32, 1), seed=0)
        assert type(model.decoder).__name__ == "StyleDecoder"

    def test_images_do_not_know_of_each_other(self):
        """The norm is of each image: a code does not depend on what else is in the batch."""
        model = build_vae(Network(name="style", width=0.25), (32, 32, 3), seed=0).eval()
        images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
        alone = np.concatenate([model.encode(image[None]) for image in images])
        np.testing.assert_allclose(model.encode(images), alone, atol=1e-4)


class TestStart:
    """What the constant of a style decoder starts as."""

    @staticmethod
    def constant(**options):
        network = Network(name="style", width=0.25, n_latents=3, **options)
        return build_vae(network, (32, 64, 1), seed=0).decoder.constant.detach()

    def test_coordinates_are_added_to_the_normal_numbers(self):
        added = self.constant(style_start="coordinates") - self.constant()
        row = torch.linspace(-1, 1, 4)[:, None].expand(4, 8)
        column = torch.linspace(-1, 1, 8).expand(4, 8)
        assert added.shape == (1, 16, 4, 8)
        for channel, expected in enumerate([column, row, -column, -row] * 4):
            torch.testing.assert_close(added[0, channel], expected)

    def test_normal_numbers_are_small(self):
        assert 0.08 < self.constant().std() < 0.12

    def test_a_network_without_them_keeps_its_description(self):
        assert "style_start" not in Network(name="style").model_dump()
        assert Network(name="style", style_start="coordinates").model_dump()["style_start"]

    @pytest.mark.parametrize("name", ["qlae", "tripod"])
    def test_they_are_a_default_of_objectives_with_styles(self, name):
        assert OBJECTIVES[name]().default_network().style_start == "coordinates"
