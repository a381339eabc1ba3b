/* The data that the page embeds: gunzipped, and columns made rows again. Touches no document. */
"use strict";
const payload = (function () {
  function unpacked(value) {
    if (Array.isArray(value)) return value.map(unpacked);
    if (value === null || typeof value !== "object") return value;
    if (!("#" in value && "columns" in value)) {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, unpacked(entry)]));
    }
    const rows = Array.from({ length: value["#"] }, () => ({}));
    for (const [key, column] of Object.entries(value.columns)) {
      const values = unpacked(column.values);
      values.forEach((entry, i) => { rows[column.at ? column.at[i] : i][key] = entry; });
    }
    return rows;
  }
  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return unpacked(JSON.parse(await new Response(stream).text()));
  }
  return { unpack: unpack };
})();
if (typeof module !== "undefined") module.exports = payload;
