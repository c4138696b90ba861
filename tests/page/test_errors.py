"""What cannot be run: the page says why and what to do, and keeps the run in view."""

from __future__ import annotations

import json

import pytest
import torch
from playwright.sync_api import expect
from safetensors.torch import save_file

pytestmark = pytest.mark.browser


def test_what_cannot_run_is_explained_and_the_run_in_view_stays(app_url, open_page, tmp_path):
    """One page for all of them: after each, the next one starts from what the last one left."""
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", "architectures": ["ViTModel"]}))
    page = open_page(app_url)
    tokens = page.locator(".dx-token").all_inner_texts()
    fields = {
        "model": page.locator("#dx-model textarea, #dx-model input"),
        "prompt": page.locator("#dx-prompt textarea"),
        "top_p": page.locator("#dx-knob-top_p"),
        "temperature": page.locator("#dx-knob-temperature"),
        "max_new_tokens": page.locator("#dx-knob-max_new_tokens"),
        "min_new_tokens": page.locator("#dx-knob-min_new_tokens"),
    }

    def refused(says: tuple[str, ...], **wrong: str) -> None:
        before = {name: fields[name].input_value() for name in wrong}
        for name, value in wrong.items():
            fields[name].fill(value)
        page.locator("#dx-run").click()
        for part in says:
            expect(page.locator(".dx-message-box")).to_contain_text(part)
        expect(page.locator("#dx-run")).to_be_enabled()
        assert page.locator(".dx-token").all_inner_texts() == tokens
        for name, value in before.items():
            fields[name].fill(value)

    refused(("top_p must be in (0, 1], got 1.7", "use 1 to switch it off"), top_p="1.7")
    refused(("temperature must be", "got -1"), temperature="-1")
    refused(("max_new_tokens", "got 0"), max_new_tokens="0")
    refused(("min_new_tokens",), min_new_tokens="30", max_new_tokens="9")
    refused(("prompt is empty", "write at least one word"), prompt="")
    refused(("18,001 tokens", "at most 8,192", "shorten"), prompt="a b " * 9000)
    refused(("'no such model'", "smollm2-135m"), model="no such model")
    expect(page.locator(".dx-status")).to_contain_text("could not be loaded")
    refused((str(tmp_path), "generate text"), model=str(tmp_path))
    page.locator(".dx-message-box button").click()
    expect(page.locator(".dx-message-box")).to_be_hidden()
    page.locator(".dx-token").nth(1).click()
    expect(page.locator("#dx-waterfall .dx-reading")).to_contain_text("step 2")
    page.locator("#dx-run").click()
    expect(page.locator(".dx-facts")).not_to_contain_text("recorded example")
    expect(page.locator(".dx-status")).to_contain_text("smollm2-135m")
    expect(page.locator("#dx-run")).to_be_enabled()
    assert page.locator(".dx-token").all_inner_texts() == tokens
