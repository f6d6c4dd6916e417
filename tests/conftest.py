import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_list_of_known_models(tmp_path_factory):
    """Keep what tests name, in this process or in those that they start, out of the user's list of known models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INTERLINGUA_KNOWN_MODELS", str(tmp_path_factory.mktemp("known") / "models.txt"))
        yield
