"""Runs the files of ``gabbits/``: each a story over HTTP against a fresh daemon."""

from __future__ import annotations

import pathlib
import unittest

import pytest
from gabbi import handlers, suitemaker, utils

from tests.api.identity.cloud import Cloud

FOLDER = pathlib.Path(__file__).parent / 'gabbits'


@pytest.mark.parametrize('name', sorted(path.stem for path in FOLDER.glob('*.yaml')))
def test_story(cloud: Cloud, name: str) -> None:
    story = utils.load_yaml(yaml_file=str(FOLDER / f'{name}.yaml'))
    suite = suitemaker.test_suite_from_dict(unittest.TestLoader(), f'identity_{name}', story, str(FOLDER), '127.0.0.1',
                                            5000, None, lambda: cloud.wsgi,
                                            handlers=[handler() for handler in handlers.RESPONSE_HANDLERS])
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun == len(story['tests'])
    assert not [text for _, text in [*result.failures, *result.errors]], result.failures or result.errors
