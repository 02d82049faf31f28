/** Ties the form for a new key (templates/mfa/webauthn/add_form.html) to allauth's script, by its fields' ids. */

const ids = { add: "mfa_webauthn_add", passwordless: "id_passwordless", credential: "id_credential", data: "js_data" };
globalThis.allauth.webauthn.forms.addForm({ ids });
