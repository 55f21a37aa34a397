"""Where frames come from: video files, image folders, webcams."""
