/** ESLint for the page's code: what is wrong or dead, not how it is laid out, which is Prettier's. */

import js from "@eslint/js";
import globals from "globals";

const page = { ...globals.browser, ...globals.es2024 };

export default [
  { ignores: ["static/vendor/", "tests/support/vendor/", "var/", ".venv*/"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: "latest", sourceType: "module", globals: page },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-duplicate-imports": "error",
      "no-implicit-globals": "error",
      "no-shadow": ["error", { hoist: "never", allow: ["name", "close"] }],
      // A name with _ before it says that the value is left out on purpose.
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
    },
  },
  { files: ["static/chat/view/first-paint.js"], languageOptions: { sourceType: "script" } },
  { files: ["static/diagram/*.js"], languageOptions: { globals: { ...page, mermaid: "readonly" } } },
  { files: ["**/*.mjs", "tools/*.js", "eslint.config.js"], languageOptions: { globals: globals.node } },
];
