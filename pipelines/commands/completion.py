"""The command `completion`: what makes a shell complete commands and options."""

from typing import Literal

from .command import command
from .output import Output


@command()
def completion(console: Output, shell: Literal["bash", "zsh", "fish"]) -> None:
    """Print the script that completes commands and options in a shell.

    Parameters
    ----------
    shell : {"bash", "zsh", "fish"}
        Put the script where it looks: ~/.local/share/bash-completion/completions/interlingua, a file _interlingua in a
        folder of zsh's fpath, or ~/.config/fish/completions/interlingua.fish.

    Examples
    --------
    ::

        interlingua completion fish > ~/.config/fish/completions/interlingua.fish
    """
    from .app import added_commands, build_app

    script = build_app(added_commands()).generate_completion(shell=shell)
    console.result({"shell": shell, "script": script}, lambda: [script])
