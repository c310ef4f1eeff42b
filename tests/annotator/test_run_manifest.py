"""What a manifest has said of a file, in later runs that do not name it."""

import media_samples
from annotator.datasets import open_dataset
from commands import annotate

HEADER = "path,start,end,transcript,speaker,split,label:happy,label:sad"


def test_it_counts_in_a_run_over_the_folder(tmp_path):
    """Its clips, though the folder alone would be cut otherwise, and their answers and features."""
    corpus, workspace = tmp_path / "corpus", tmp_path / "w"
    corpus.mkdir()
    media_samples.audio(corpus / "a.wav", seconds=3)
    (corpus / "a.srt").write_text("1\n00:00:00,000 --> 00:00:03,000\nother words\n")
    manifest = tmp_path / "m.csv"
    rows = "corpus/a.wav,0,1.5,what a day,ann,train,1,0\ncorpus/a.wav,1.5,3,oh no,bob,test,0,1\n"
    manifest.write_text(f"{HEADER}\n{rows}")

    def run(*paths):
        done = annotate("run", *paths, "--workspace", workspace, "--json")
        assert done.code == 0, done.err
        return done.json["clips"]

    def listed():
        clips = annotate("list", "--json", "--workspace", workspace).json["clips"]
        return sorted((clip["start_ms"], clip["text"], clip["split"]) for clip in clips)

    assert run(manifest, corpus) == 2
    before = listed()
    assert [text for _, text, _ in before] == ["what a day", "oh no"]
    assert run(corpus) == 0, "the answers still hold"
    assert listed() == before
    for split in ("train", "test"):
        (example,) = open_dataset(manifest, cache=workspace).split(split)
        assert example.words in {"what a day", "oh no"}, "nor were features made of other words"

    manifest.write_text("path,split\ncorpus/a.wav,valid\n")
    assert run(manifest, corpus) == 1, "another one says otherwise"
    assert [text for _, text, _ in listed()] == ["other words"]
