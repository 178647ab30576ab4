	.text
	.global handmade
	.type handmade, %function
handmade:
	ldr x0, =0x123456789abcdef0
	ret
	.ltorg
label:
	nop
	ret
