"""llm-comply, with its requests at temperature 0: the same answers in every run, not drawn ones."""

import sys

from llm_comply import test_case

plain_init = test_case.TestCase.__init__


def init(self, *arguments, build_request, **more):
    def build_greedy(config):
        return {"temperature": 0, **build_request(config)}
    plain_init(self, *arguments, build_request=build_greedy, **more)


test_case.TestCase.__init__ = init

from llm_comply.cli import main  # noqa: E402  (its tests are made when it is imported)

sys.exit(main())
