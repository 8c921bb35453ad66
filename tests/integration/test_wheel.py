"""What is installed where there is no checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_a_wheel_has_the_console_and_the_schema(tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    built = subprocess.run(
        [uv, "build", "--quiet", "--wheel", f"--out-dir={tmp_path}"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    console = "mediatheque/doors/console/built"
    assert f"{console}/index.html" in names
    assert any(name.startswith(f"{console}/assets/index-") for name in names)
    assert any(name.endswith(".js.gz") for name in names)
    assert "mediatheque/catalog/migrations/versions/0001_medias_and_uploads.py" in names
    assert not any(name.startswith(("tests", "console", "scripts")) for name in names)
