-- LuaSec's options of OpenSSL: [name] = function(options, mode) -> true where it can be kept. false: it never can.
local options = {}

-- What holds anyway: lsocket.tls does so by itself, or what it is about has no place in TLS 1.2 and 1.3.
local function holds()
  return true
end

for word in ([[
  all cipher_server_preference cisco_anyconnect cryptopro_tlsext_bug dont_insert_empty_fragments
  enable_middlebox_compat ephemeral_rsa microsoft_big_sslv3_buffer microsoft_sess_id_bug msie_sslv2_rsa_padding
  netscape_ca_dn_bug netscape_challenge_bug netscape_demo_cipher_change_bug netscape_reuse_cipher_change_bug
  no_compression no_dtls_mask no_dtlsv1 no_dtlsv1_2 no_query_mtu no_renegotiation
  no_session_resumption_on_renegotiation no_sslv2 no_sslv3 no_tlsv1 no_tlsv1_1 pkcs1_check_1 pkcs1_check_2
  safari_ecdhe_ecdsa_bug single_dh_use single_ecdh_use ssleay_080_client_dh_bug sslref2_reuse_cert_type_bug
  tls_block_padding_bug tls_d5_bug tlsext_padding
]]):gmatch "%S+" do options[word] = holds end

-- What would make a connection weaker, or what lsocket.tls has no way to do.
for word in ([[
  allow_client_renegotiation allow_no_dhe_kex allow_unsafe_legacy_renegotiation cleanse_plaintext cookie_exchange
  disable_tlsext_ca_names enable_ktls legacy_server_connect no_anti_replay no_encrypt_then_mac
  no_extended_master_secret no_ssl_mask prioritize_chacha tls_rollback_bug
]]):gmatch "%S+" do options[word] = false end

function options.no_tlsv1_2(into)
  into.min = "1.3"
  return into.max ~= "1.2"
end

function options.no_tlsv1_3(into)
  into.max = "1.2"
  return into.min ~= "1.3"
end

function options.no_ticket(into, mode)
  if mode == "server" then into.tickets = 0 else into.sessions = 0 end
  return true
end

function options.ignore_unexpected_eof(into)
  into.eof = "any"
  return true
end

return options
