/* SPDX-License-Identifier: MIT
 * See page.h. The colours of lines are told apart by colour-blind eyes too (Okabe and Ito, "Color
 * universal design", 2008), those of the dark mode are lighter ones of the same hues. */
#include "report/page.h"

#include "report/colormap.h"

static const char style[] =
    ":root{color-scheme:light dark;--ground:#fbfbfa;--card:#fff;--ink:#1d2329;--pale:#5b6670;"
    "--line:#e2e5e8;--axis:#9aa3ab;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#a8508a;"
    "--c4:#8a6d00;--c5:#3f4fbf}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--ground:#14181c;--card:#1c2227;"
    "--ink:#e8ebed;--pale:#a3adb5;--line:#323a41;--axis:#6b757d;--c0:#5fb8ee;--c1:#ff9a52;"
    "--c2:#43cfa4;--c3:#e59ac9;--c4:#e6c34a;--c5:#9fabff}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1.2rem clamp(.8rem,3vw,2.5rem) 3rem;max-width:1240px;"
    "background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0 0;overflow-wrap:anywhere}\n"
    "h2{font-size:1.15rem;margin:2.2rem 0 .6rem}\n"
    "p{margin:.3rem 0 .7rem;color:var(--pale);max-width:48rem}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(135px,1fr));gap:.6rem;"
    "margin:1rem 0}\n"
    ".tile,.chart,.sample,details{background:var(--card);border:1px solid var(--line);"
    "border-radius:8px}\n"
    ".tile{padding:.55rem .8rem}\n"
    ".tile span{display:block;font-size:.8rem;color:var(--pale)}\n"
    ".tile b{font-size:1.25rem;font-weight:600;font-variant-numeric:tabular-nums}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));"
    "gap:.8rem}\n"
    ".chart{margin:0;padding:.7rem .8rem .4rem;min-width:0}\n"
    ".chart svg{display:block;width:100%;height:auto}\n"
    ".chart figcaption{font-size:.9rem;line-height:1.4;margin-bottom:.3rem}\n"
    ".unit,.key{color:var(--pale);font-size:.85rem}\n"
    ".chart b{margin-right:.35rem}.key{white-space:nowrap;margin-right:.5rem}\n"
    ".key svg{display:inline-block;width:20px;vertical-align:middle}\n"
    "svg text{font:12px system-ui,sans-serif;fill:var(--ink);font-variant-numeric:tabular-nums}\n"
    "svg .name{fill:var(--pale)}svg .end{text-anchor:end}svg .middle{text-anchor:middle}\n"
    "svg path{fill:none;stroke-width:2;stroke-linejoin:round}\n"
    "svg .dashed{stroke-dasharray:5 4}\n"
    "svg .grid{stroke:var(--line)}svg .axis{stroke:var(--axis)}\n"
    "svg .mark{stroke:var(--axis);stroke-dasharray:2 3}\n"
    ".sample{padding:.5rem .8rem .8rem;margin:.6rem 0}\n"
    ".sample .chart{border:0;padding:0}\n"
    ".sample p{margin:0 0 .4rem;font-size:.9rem}\n"
    ".maps{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(130px,44%),1fr));"
    "gap:.8rem clamp(.8rem,2vw,1.6rem)}\n"
    ".map{margin:0;min-width:0;max-width:270px}\n"
    ".map figcaption{font-size:.85rem;margin-bottom:.25rem}\n"
    ".map img{display:block;width:100%;height:auto;image-rendering:pixelated;"
    "border:1px solid var(--line)}\n"
    ".bar{height:.6rem;margin-top:.4rem;border:1px solid var(--line);"
    "print-color-adjust:exact;-webkit-print-color-adjust:exact}\n"
    ".ticks{position:relative;height:1.2rem;font-size:.72rem;color:var(--pale);"
    "font-variant-numeric:tabular-nums}\n"
    ".ticks span{position:absolute;transform:translateX(-50%);white-space:nowrap}\n"
    ".scroll{overflow-x:auto;margin-bottom:1rem}\n"
    "table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.28rem .8rem .28rem 0;border-bottom:1px solid var(--line);white-space:nowrap}\n"
    "th{color:var(--pale);font-weight:500}\n"
    ".l{text-align:left}.r{text-align:right}.c{text-align:center}\n"
    "details{padding:.5rem .8rem;margin:.6rem 0}\n"
    "summary{cursor:pointer;font-weight:600;font-size:.95rem}\n"
    "pre{overflow-x:auto;font-size:.8rem;line-height:1.4;margin:.6rem 0 0}\n"
    "@media print{:root{--ground:#fff}body{padding:0;max-width:none;font-size:11pt}"
    ".chart,.sample,tr{break-inside:avoid}h2{break-after:avoid}"
    ".charts{grid-template-columns:repeat(2,1fr)}.maps{grid-template-columns:repeat(4,1fr)}"
    ".scroll{overflow:visible}table{font-size:7pt}th,td{white-space:normal;padding-right:.4rem}"
    "pre{white-space:pre-wrap}}\n";

/* background of a colour bar: the map at 33 places */
static mpno_status add_gradient(mpno_text *out, const char *class, mpno_colormap map) {
    enum { STOPS = 32 };
    MPNO_TRY(mpno_text_add(out, ".%s{background:linear-gradient(to right", class));
    for (int i = 0; i <= STOPS; i++) {
        const mpno_rgb c = mpno_colormap_colour(map, i, 0, STOPS);
        MPNO_TRY(mpno_text_add(out, ",#%02x%02x%02x", c.r, c.g, c.b));
    }
    return mpno_text_add(out, ")}\n");
}

static mpno_status element(mpno_text *out, const char *before, const char *text,
                           const char *after) {
    MPNO_TRY(mpno_text_add(out, "%s", before));
    MPNO_TRY(mpno_text_add_html(out, text));
    return mpno_text_add(out, "%s", after);
}

mpno_status mpno_page_begin(mpno_text *out, const char *title, const char *subtitle) {
    MPNO_TRY(mpno_text_add(out,
                           "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width, "
                           "initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n"));
    MPNO_TRY(element(out, "<title>", title, "</title>\n<style>\n"));
    MPNO_TRY(mpno_text_add(out, "%s", style));
    for (int i = 0; i < 6; i++)
        MPNO_TRY(mpno_text_add(
            out, "svg path.s%d{stroke:var(--c%d)}svg circle.s%d{fill:var(--c%d)}\n", i, i, i, i));
    MPNO_TRY(add_gradient(out, "sequential", MPNO_COLORMAP_SEQUENTIAL));
    MPNO_TRY(add_gradient(out, "diverging", MPNO_COLORMAP_DIVERGING));
    MPNO_TRY(element(out, "</style>\n</head>\n<body>\n<h1>", title, "</h1>\n"));
    return mpno_page_paragraph(out, subtitle);
}

mpno_status mpno_page_end(mpno_text *out) {
    return mpno_text_add(out, "</body>\n</html>\n");
}

mpno_status mpno_page_section(mpno_text *out, const char *heading) {
    return element(out, "<h2>", heading, "</h2>\n");
}

mpno_status mpno_page_paragraph(mpno_text *out, const char *text) {
    return element(out, "<p>", text, "</p>\n");
}

mpno_status mpno_page_fold(mpno_text *out, const char *heading, bool open) {
    return element(out, open ? "<details open><summary>" : "<details><summary>", heading,
                   "</summary>\n");
}

mpno_status mpno_page_fold_end(mpno_text *out) {
    return mpno_text_add(out, "</details>\n");
}

mpno_status mpno_page_tiles(mpno_text *out) {
    return mpno_text_add(out, "<div class=\"tiles\">\n");
}

mpno_status mpno_page_tile(mpno_text *out, const char *name, const char *value) {
    MPNO_TRY(element(out, "<div class=\"tile\"><span>", name, "</span>"));
    return element(out, "<b>", value, "</b></div>\n");
}

mpno_status mpno_page_tiles_end(mpno_text *out) {
    return mpno_text_add(out, "</div>\n");
}

mpno_status mpno_page_verbatim(mpno_text *out, const char *text) {
    return element(out, "<pre>", text, "</pre>\n");
}

mpno_status mpno_page_table(mpno_text *out, const mpno_table *table) {
    return mpno_table_text(table, MPNO_TABLE_HTML, out);
}

mpno_status mpno_page_image(mpno_text *out, const void *png, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = png;
    MPNO_TRY(mpno_text_add(out, "<img alt=\"\" src=\"data:image/png;base64,"));
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const unsigned long group = (unsigned long)bytes[i] << 16 |
                                    (left > 1 ? (unsigned long)bytes[i + 1] << 8 : 0) |
                                    (left > 2 ? bytes[i + 2] : 0);
        const char four[4] = {digits[group >> 18], digits[group >> 12 & 63],
                              left > 1 ? digits[group >> 6 & 63] : '=',
                              left > 2 ? digits[group & 63] : '='};
        MPNO_TRY(mpno_text_add_bytes(out, four, 4));
    }
    return mpno_text_add(out, "\">");
}
