/** Markdown as HTML. What the model writes is never taken as HTML, and loads nothing from anywhere. */
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import lua from "highlight.js/lib/languages/lua";
import php from "highlight.js/lib/languages/php";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import MarkdownIt from "markdown-it";

/** Longer code is not coloured: it would be felt. */
const MOST_COLOURED = 50_000;

const LANGUAGES = {
  bash,
  c,
  cpp,
  csharp,
  css,
  diff,
  go,
  ini,
  java,
  javascript,
  json,
  kotlin,
  lua,
  php,
  python,
  ruby,
  rust,
  sql,
  swift,
  typescript,
  xml,
  yaml,
};
for (const [name, language] of Object.entries(LANGUAGES)) {
  hljs.registerLanguage(name, language);
}

export const markdown = new MarkdownIt({ html: false, linkify: true, highlight });
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });

markdown.renderer.rules.image = (tokens, idx) => {
  const token = tokens[idx];
  const src = markdown.utils.escapeHtml(String(token?.attrGet("src") ?? ""));
  return `<a href="${src}">${markdown.utils.escapeHtml(token?.content || "image")}</a>`;
};

// The policy of the page allows no style attributes, which is how columns are aligned.
markdown.core.ruler.push("no_styles", ({ tokens }) => {
  for (const token of tokens) {
    const style = String(token.attrGet("style") ?? "");
    if (style !== "") {
      token.attrs = (token.attrs ?? []).filter(([name]) => name !== "style");
      token.attrJoin("class", style.replace("text-align:", "align-"));
    }
  }
});

export function highlight(code: string, language: string): string {
  return language !== "" && code.length <= MOST_COLOURED && hljs.getLanguage(language)
    ? hljs.highlight(code, { language, ignoreIllegals: true }).value
    : markdown.utils.escapeHtml(code);
}
