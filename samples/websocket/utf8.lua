-- Whether bytes are UTF-8 (RFC 3629: shortest forms, no surrogates): is_utf8(text) -> boolean
local rest = "[\128-\191]"
local sequences = {
  "[\194-\223]" .. rest, "\224[\160-\191]" .. rest, "[\225-\236\238\239]" .. rest .. rest, "\237[\128-\159]" .. rest,
  "\240[\144-\191]" .. rest .. rest, "[\241-\243]" .. rest .. rest .. rest, "\244[\128-\143]" .. rest .. rest,
}

return function(text)
  for _, sequence in ipairs(sequences) do
    if not text:find("[\128-\255]") then return true end
    text = text:gsub(sequence, "?") -- not "": what stands before and behind must not come together
  end
  return not text:find("[\128-\255]")
end
