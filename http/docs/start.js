// In a file of its own, because the page's policy allows no inline script. The layout without the
// top bar asks for no other description, and no validator elsewhere is told of this one.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "none",
  presets: [SwaggerUIBundle.presets.apis],
});
