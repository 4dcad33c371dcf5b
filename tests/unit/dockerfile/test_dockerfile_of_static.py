import pytest

from longshore.errors import AppError


@pytest.mark.parametrize(("file", "copied"), [("index.html", " . "), ("public/index.html", " public ")])
def test_a_folder_of_files_is_served_by_nginx_without_root(write, file, copied):
    written = write({file: "", "style.css": "", "LICENSE": ""})
    assert (written.language, written.base_image, written.port) == ("static", "nginx:1", 8080)
    assert f"COPY --chown=10001:10001{copied}/usr/share/nginx/html" in written.text


def test_hidden_files_are_not_served(write):
    assert r"location ~ /\.(?!well-known/) { return 404; }" in write({"index.html": ""}).text


@pytest.mark.parametrize("file", ["index.php", "lib/tool.py", "src/main.ts", "App.vue", "go.mod", "a/Gemfile"])
def test_a_folder_with_programs_is_not_static(write, file):
    with pytest.raises(AppError):
        write({"index.html": "", file: ""})


def test_a_package_that_has_to_be_built_is_not_static(write):
    with pytest.raises(AppError):
        write({"index.html": "", "package.json": '{"scripts": {"build": "vite build"}}'})


def test_a_package_json_for_tools_and_hidden_files_do_not_matter(write):
    files = {"index.html": "", "package.json": "{}", ".github/x.py": "", "node_modules/a/b.ts": ""}
    assert write(files).language == "static"
