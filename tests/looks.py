"""What is wrong with a page that a browser shows: scripts for `page.evaluate`, which give what they find."""

# Of what matches, and is shown: what has no name for a screen reader, and what a thumb misses (48 by 44 pixels).
HARD_TO_USE = """(which) => [...document.querySelectorAll(which)]
    .filter((one) => one.checkVisibility() && one.type !== "hidden")
    .filter((one) => {
        const box = one.getBoundingClientRect();
        const labels = [...(one.labels ?? [])].map((label) => label.textContent);
        const isField = one.matches("input, select, textarea");
        const name = one.ariaLabel || labels.join("") || (isField ? "" : one.textContent);
        return !name.trim() || box.height < 48 || box.width < 44;
    }).map((one) => one.outerHTML)"""
FIELDS = "button, input, select, textarea, summary"
EVERYTHING = f"a, {FIELDS}"

# Text whose contrast to what is behind it is below 4.5 (WCAG 2.2, 1.4.3).
HARD_TO_READ = """() => {
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const color = parts(getComputedStyle(one).backgroundColor);
            if (color.length < 4 || color[3] > 0) return color;
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const bad = [];
    for (let node; (node = walker.nextNode()); ) {
        const one = node.parentElement;
        if (!node.textContent.trim() || !one.checkVisibility() || one.closest(".hidden, :disabled")) continue;
        const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        if (ratio < 4.5) bad.push(`${node.textContent.trim()}: ${ratio.toFixed(2)}`);
    }
    return bad;
}"""

# Text of less than so many pixels.
TOO_SMALL = """(least) => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const bad = [];
    for (let node; (node = walker.nextNode()); ) {
        const one = node.parentElement;
        if (!node.textContent.trim() || !one.checkVisibility() || one.closest(".hidden")) continue;
        const size = parseFloat(getComputedStyle(one).fontSize);
        if (size < least) bad.push(`${node.textContent.trim()}: ${size}`);
    }
    return bad;
}"""

# By how much a page is wider than its window.
TOO_WIDE = "() => Math.max(0, document.documentElement.scrollWidth - innerWidth)"
