"""Makes the pictures beside it with Pillow: what the tests cannot make by themselves. Run it by hand, once."""
import zlib
from pathlib import Path
from PIL import Image

here = Path(__file__).parent
corners = [(220, 30, 30), (30, 180, 30), (40, 60, 220), (240, 220, 60)]
scene = Image.new("RGB", (96, 64))
for y in range(64):
    for x in range(96):
        scene.putpixel((x, y), corners[(x >= 48) + 2 * (y >= 32)])

scene.convert("CMYK").save(here / "cmyk.jpg", quality=92)
scene.save(here / "progressive.jpg", quality=92, progressive=True)
scene.quantize(16).save(here / "palette.png")
turned = scene.transpose(Image.Transpose.ROTATE_90)
exif = Image.Exif()
exif[0x0112] = 6
turned.save(here / "turned.webp", quality=90, exif=exif)
turned.save(here / "turned.png", exif=exif)
(here / "profile.zlib").write_bytes(zlib.compress(bytes(64_000_000), 9))
