"""Find, or install as root on Debian, what the page tests need: a Chromium and Chinese fonts.

Elsewhere it says what to install and leaves with 1. `DUALCARBON_CHROMIUM` names a browser that is not on the path.
"""

import os
import shutil
import subprocess
import sys

from dualcarbon.app.doctor import chinese_fonts, find_browser

PACKAGES = {"chromium": "chromium", "fonts": "fonts-noto-cjk", "fc-list": "fontconfig"}


def lacking() -> list[str]:
    """The Debian packages that would bring what is missing."""
    found = {"chromium": find_browser(), "fonts": chinese_fonts(), "fc-list": shutil.which("fc-list")}
    return [package for need, package in PACKAGES.items() if not found[need]]


def main() -> None:
    """Make sure that the browser and the fonts are there."""
    packages = lacking()
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"apt-get install {' '.join(packages)}", flush=True)
        for words in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "-q", *words], check=False, env=environment, stdout=subprocess.DEVNULL)
        packages = lacking()
    if packages:
        sys.exit(
            "the page tests need a Chromium (or Chrome) and Chinese fonts; missing, by their Debian names: "
            f"{' '.join(packages)}\n"
            "页面测试需要 Chromium（或 Chrome）与中文字体，请先安装。\n"
            "  Debian: apt-get install chromium fontconfig fonts-noto-cjk\n"
            "  Fedora: dnf install chromium fontconfig google-noto-cjk-fonts\n"
            "  a browser elsewhere / 浏览器在别处: DUALCARBON_CHROMIUM=/path/to/chrome"
        )


if __name__ == "__main__":
    main()
