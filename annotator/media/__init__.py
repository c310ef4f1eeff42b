"""Files into frames, sound and subtitles, by ffmpeg, without trusting any of it."""
