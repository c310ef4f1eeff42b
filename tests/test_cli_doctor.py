"""`annotate doctor` as a user runs it: exit code, JSON, and nothing made or told."""

from commands import annotate

SECRET = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2"
NOWHERE = {"LABEL_STUDIO_URL": "", "LABEL_STUDIO_API_KEY": ""}


def test_all_is_well_and_nothing_is_made(tmp_path):
    done = annotate("doctor", "--json", **NOWHERE)
    assert (done.code, done.err) == (0, "")
    checks = {check["name"]: check for check in done.json}
    assert {"Python", "ffmpeg", "device", "extractor faces", "workspace", "model starter"} <= set(
        checks
    )
    assert all(set(check) == {"name", "state", "found", "remedy"} for check in done.json)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_check_has_its_remedy_and_the_exit_code_of_the_environment():
    server = {"LABEL_STUDIO_URL": "http://127.0.0.1:9", "LABEL_STUDIO_API_KEY": SECRET}
    done = annotate("doctor", **server, ANNOTATE_FFMPEG="/nowhere/ffmpeg")
    assert done.code == 3
    assert "→ ANNOTATE_FFMPEG names '/nowhere/ffmpeg'" in done.out
    assert "2 failed." in done.out
    assert SECRET not in done.out + done.err
