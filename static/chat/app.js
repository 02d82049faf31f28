/** The chat page: reads what the server put into the shell, mounts the view, connects. */

import { start } from "./actions.js";
import { setCsrfToken } from "./api.js";
import { setFeatures } from "./store.js";
import { listenForKeys } from "./view/keys.js";
import { browser, mount, readBoot, readCsrfToken } from "./view/page.js";
import { useLanguage } from "./view/preferences.js";

const boot = readBoot();

await useLanguage(boot.language);
setFeatures(boot.features);
setCsrfToken(readCsrfToken());
mount(boot.user);
listenForKeys();
start(boot, browser);
