"""The studio: vertex and fragment shader of every picture of a rig.

Light comes from where the viewer stands, so it is given in rig space: a large soft key from the
upper left, a cool fill from the right, two rims from behind, and a sky-to-floor ambient. All but
the rims can be turned and dimmed (`freeavatar.rigs.light`). Output is exact sRGB; an unlit part
leaves its colour untouched.
"""

VERTEX = """
#version 330 core
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in vec2 texture_coordinate;
uniform mat4 V;
uniform mat4 P;
out vec3 at;
out vec3 facing;
out vec2 uv;

void main() {
    gl_Position = P * V * vec4(position, 1.0);
    at = position;
    facing = normal;
    uv = texture_coordinate;
}
"""

FRAGMENT = """
#version 330 core
struct Material {
    vec4 base_color_factor;
    float metallic_factor;
    float roughness_factor;
    sampler2D base_color_texture;
};
uniform Material material;
uniform vec3 cam_pos;
uniform int has_texture;
uniform int unlit;
uniform int blended;
uniform vec3 light_key;
uniform vec3 light_fill;
uniform float light_strength;
uniform float light_ambient;
uniform vec3 light_tint;
uniform vec3 key_colour;
uniform vec3 fill_colour;
uniform float key_wrap;
uniform float fill_wrap;
uniform vec3 ambient_down;
uniform vec3 ambient_up;
in vec3 at;
in vec3 facing;
in vec2 uv;
out vec4 drawn;

vec3 to_linear(vec3 c) {
    return mix(c / 12.92, pow((c + 0.055) / 1.055, vec3(2.4)), step(0.04045, c));
}

vec3 to_srgb(vec3 c) {
    c = clamp(c, 0.0, 1.0);
    return mix(c * 12.92, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

// Highlights roll off above 0.8 instead of clipping to white.
vec3 shoulder(vec3 c) {
    vec3 over = max(c - 0.8, 0.0);
    return min(c, 0.8) + 0.2 * (1.0 - exp(-over / 0.2));
}

// Light that reaches a little past the edge of its half-sphere, as from a large soft box.
float soft(vec3 n, vec3 l, float wrap) {
    float reach = max((dot(n, l) + wrap) / (1.0 + wrap), 0.0);
    return reach * reach * (1.0 - 0.5 * wrap) + reach * 0.5 * wrap;
}

float gloss(vec3 n, vec3 v, vec3 l, float roughness) {
    vec3 h = normalize(l + v);
    float a = max(roughness * roughness, 0.02);
    float nh = max(dot(n, h), 0.0);
    float d = nh * nh * (a * a - 1.0) + 1.0;
    return min(a * a / (3.14159 * d * d), 12.0) * max(dot(n, l), 0.0);
}

void main() {
    vec4 base = material.base_color_factor;
    if (has_texture == 1) {
        vec4 texel = texture(material.base_color_texture, uv);
        base *= vec4(to_linear(texel.rgb), texel.a);
    }
    // An invisible texel must not hide what lies behind it.
    if (blended == 1 && base.a < 0.02) discard;
    if (unlit == 1) {
        // Nothing is blended with an opaque part: its alpha says "leave this pixel unshaded".
        drawn = vec4(to_srgb(base.rgb), blended == 1 ? base.a : 0.0);
        return;
    }
    vec3 n = normalize(facing);
    if (!gl_FrontFacing) n = -n;
    vec3 v = normalize(cam_pos - at);

    vec3 key = normalize(light_key);
    vec3 fill = normalize(light_fill);
    vec3 rim_left = normalize(vec3(-0.75, 0.25, -0.65));
    vec3 rim_right = normalize(vec3(0.75, 0.35, -0.65));

    vec3 light = mix(ambient_down, ambient_up, 0.5 + 0.5 * n.y);
    light *= light_ambient;
    light += light_strength * light_tint * key_colour * soft(n, key, key_wrap);
    light += light_strength * fill_colour * soft(n, fill, fill_wrap);
    vec3 colour = base.rgb * light * (1.0 - 0.7 * material.metallic_factor);

    float edge = pow(1.0 - max(dot(n, v), 0.0), 3.0);
    float behind = max(dot(n, rim_left), 0.0) + max(dot(n, rim_right), 0.0);
    colour += (0.10 + 0.90 * base.rgb) * edge * (0.05 + 0.95 * behind) * vec3(0.50, 0.54, 0.60);

    vec3 mirror = mix(vec3(0.04), base.rgb, material.metallic_factor);
    float shine = gloss(n, v, key, material.roughness_factor)
                + 0.35 * gloss(n, v, fill, material.roughness_factor);
    colour += mirror * shine * 0.9 * light_strength;

    drawn = vec4(to_srgb(shoulder(colour)), blended == 1 ? base.a : 1.0);
}
"""
